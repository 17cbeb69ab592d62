import { ApiError, call, follow, setToken } from './api.js';
import { $ } from './dom.js';
import * as lists from './lists.js';
import * as overview from './overview.js';
import * as rules from './rules.js';

const pages = ['overview', 'rules', 'sets', 'clients'];
let may = null;
let session = 0;

$('sign-in').hidden = false;
$('token').focus();

on('sign-in-form', 'submit', signIn);
on('leave', 'click', () => leave(''));
on('filter', 'submit', rules.list);
on('more', 'click', rules.more);
on('why-form', 'submit', rules.why);
on('add-form', 'submit', () => rules.add(false));
on('add-anyway', 'click', () => rules.add(true));
on('tag-form', 'submit', rules.removeTag);
on('reload-sets', 'click', () => lists.reloadSets(may));
on('client-form', 'submit', lists.addClient);
addEventListener('hashchange', () => may && open(true));

function on(id, event, action) {
  $(id).addEventListener(event, async e => {
    e.preventDefault();
    await action();
  });
}

async function signIn() {
  const token = $('token').value.trim();
  $('token-fault').textContent = '';
  setToken(token);
  try {
    const status = await call('GET', '/v1/status');
    begin(status.client);
  } catch (e) {
    $('token-fault').textContent = e instanceof ApiError && e.status === 401 ? 'This token is unknown.'
      : e instanceof ApiError ? e.text : e instanceof TypeError && !/^[\x21-\x7e]+$/.test(token) ? 'This token is unknown.' : 'The daemon does not answer.';
    $('token').select();
  }
}

function begin(client) {
  may = client.may;
  $('token').value = '';
  $('sign-in').hidden = true;
  $('nav').hidden = $('account').hidden = false;
  $('who').textContent = `${client.name} (${client.group})`;
  document.querySelectorAll('[data-may]').forEach(element => { element.hidden = !may.includes(element.dataset.may); });
  $('graphs').hidden = !may.includes('stats');
  $('no-graphs').hidden = may.includes('stats');
  overview.reset();
  rules.start(may);
  open(false);
  const mine = ++session;
  if (may.includes('events')) {
    follow(overview.addEvent, (isThere, fault) => mine === session && onState(isThere, fault));
  }

  poll(mine);
}

function onState(isThere, fault) {
  if (fault) {
    leave('This token is no longer known. Sign in again.');
    return;
  }

  const wasLost = $('state').textContent !== '';
  $('state').textContent = isThere ? '' : 'The connection to the daemon is lost; trying again.';
  if (isThere && wasLost) {
    open(false);
  }
}

function leave(text) {
  session++;
  may = null;
  setToken('');
  for (const id of ['list', 'covering', 'set-list', 'client-list', 'new-token', 'verdict', 'count', 'events']) {
    $(id).replaceChildren();
  }

  $('state').textContent = '';
  $('nav').hidden = $('account').hidden = true;
  pages.forEach(page => { $(page).hidden = true; });
  $('sign-in').hidden = false;
  $('token-fault').textContent = text;
  $('token').focus();
}

/** The page of the address, and its content. */
async function open(isUser) {
  const wanted = location.hash.slice(1);
  const allowed = { overview: true, rules: may.includes('entries_read'), sets: may.includes('sets_read'), clients: may.includes('clients') };
  const page = allowed[wanted] ? wanted : 'overview';
  document.querySelectorAll('nav a').forEach(link => {
    link.hidden = !allowed[link.dataset.page];
    if (link.dataset.page === page) {
      link.setAttribute('aria-current', 'page');
    } else {
      link.removeAttribute('aria-current');
    }
  });
  pages.forEach(name => { $(name).hidden = name !== page; });
  document.title = `couic: ${page}`;
  if (isUser) {
    $('main').focus();
  }

  try {
    await { overview: () => overview.show(may), rules: rules.list, sets: () => lists.showSets(may), clients: lists.showClients }[page]();
  } catch {
    // The line about the connection says so; the page is filled when it is back.
  }
}

/** Counters once a second, and the status every five, while the overview is seen. */
async function poll(mine) {
  for (let turn = 0; mine === session; turn++) {
    if (!$('overview').hidden && document.visibilityState === 'visible') {
      try {
        if (may.includes('stats')) {
          const stats = await call('GET', '/v1/stats');
          if (mine === session) {
            overview.sample(stats);
          }
        }

        if (turn % 5 === 4 && mine === session) {
          await overview.show(may);
        }

        if (!may.includes('events') && mine === session) {
          onState(true);
        }
      } catch (e) {
        if (mine === session && !may.includes('events')) {
          onState(false, e instanceof ApiError && e.status === 401 ? e : undefined);
        }
      }
    }

    await new Promise(done => setTimeout(done, 1000));
  }
}
