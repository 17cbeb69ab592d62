import { ApiError, call } from './api.js';
import { $, addRows, ask, count, foreign, make, moment, safe, table } from './dom.js';

/** Rows that are added at a time, and rules that are asked for when the creator is looked for. */
const page = 100, scanned = 5000, deepest = 10000;

let may = [];
let query = null;

export function start(permissions) {
  may = permissions;
}

const columns = () => [
  { title: 'Network' }, { title: 'Tag' }, { title: 'Reason' }, { title: 'Added by' }, { title: 'Packets', number: true }, { title: 'Last hit' }, { title: 'Expires' },
  ...(may.includes('entries_write') ? [{ title: 'Change' }] : [])];

function row(policy, rule) {
  const cells = [
    rule.cidr, rule.tag && foreign(rule.tag), rule.reason && foreign(rule.reason), rule.added_by && foreign(rule.added_by),
    rule.packets === null ? '' : count(rule.packets), rule.last_hit ? moment(rule.last_hit) : '', rule.expiration ? moment(rule.expiration) : 'never'];
  if (may.includes('entries_write')) {
    cells.push(rule.tag?.endsWith('.couic') ? 'by a set' : removeButton(policy, rule));
  }

  return cells;
}

function removeButton(policy, rule) {
  const button = make('button', { type: 'button', 'aria-label': `Remove ${rule.cidr} from ${policy}` }, 'Remove');
  button.addEventListener('click', async () => {
    if (await ask(`Remove ${rule.cidr} from ${policy}?`, 'Remove')) {
      await withGuard(force => call('DELETE', `/v1/${policy}/${rule.cidr}?${force}`), text => { $('count').textContent = text; }, async () => {
        button.closest('tr').remove();
        $('count').textContent = `${rule.cidr} is removed.`;
        $('main').focus();
      });
    }
  });
  return button;
}

/** Does something that the guard may refuse, and then asks whether it is meant. */
async function withGuard(change, say, then) {
  say('');
  try {
    await then(await change('guard=refuse'));
  } catch (e) {
    if (e instanceof ApiError && e.canForce && await ask(`${e.text} Do it nevertheless?`, 'Do it')) {
      try {
        await then(await change('force=true'));
      } catch (again) {
        say(explain(again));
      }
    } else {
      say(explain(e));
    }
  }
}

export const explain = e => e instanceof ApiError ? safe(e.text) : 'The daemon does not answer.';

/** A fresh list by the form. */
export async function list() {
  query = { policy: $('policy').value, tag: $('tag').value, creator: $('creator').value, sort: $('sort').value, after: null, shown: 0 };
  $('list').replaceChildren();
  $('more').hidden = true;
  await more();
}

export async function more() {
  const mine = query;
  $('more').disabled = true;
  try {
    const rows = await next(mine);
    if (mine !== query) {
      return; // another list was asked for since
    }

    const present = $('list').firstElementChild;
    if (present === null) {
      $('list').append(table(`Rules of ${mine.policy}`, columns(), rows.map(rule => row(mine.policy, rule))));
    } else {
      addRows(present, columns(), rows.map(rule => row(mine.policy, rule)));
    }

    mine.shown += rows.length;
    $('more').hidden = mine.ended;
    $('count').textContent = mine.shown === 0 ? 'No such rule.' : `${count(mine.shown)} rules${mine.ended ? '.' : ' shown; there are more.'}`;
  } catch (e) {
    $('count').textContent = explain(e);
  } finally {
    $('more').disabled = false;
  }
}

async function next(mine) {
  const parts = ['details=true'];
  if (mine.tag !== '') {
    parts.push(`tag=${encodeURIComponent(mine.tag)}`);
  }

  const wanted = rule => mine.creator === '' || rule.added_by === mine.creator;
  if (mine.sort !== '') {
    const limit = mine.creator === '' ? Math.min(deepest, mine.shown + page) : deepest;
    const ranked = (await call('GET', `/v1/${mine.policy}?${parts.join('&')}&sort=${mine.sort}&limit=${limit}`)).filter(wanted);
    mine.ended = ranked.length <= mine.shown + page && (ranked.length < limit || limit === deepest);
    return ranked.slice(mine.shown, mine.shown + page);
  }

  const found = [];
  while (found.length < page) {
    const limit = mine.creator === '' ? page : scanned;
    const rules = await call('GET', `/v1/${mine.policy}?${parts.join('&')}&limit=${limit}${mine.after === null ? '' : `&after=${encodeURIComponent(mine.after)}`}`);
    for (const rule of rules) {
      mine.after = rule.cidr;
      if (wanted(rule)) {
        found.push(rule);
        if (found.length === page) {
          return found;
        }
      }
    }

    if (rules.length < limit) {
      mine.ended = true;
      break;
    }
  }

  return found;
}

/** What happens to an address: ignore wins, and the longest network decides. */
export async function why() {
  const address = $('why').value.trim();
  $('verdict').textContent = '';
  $('covering').replaceChildren();
  try {
    const found = [];
    for (const policy of ['ignore', 'drop']) {
      const rules = await call('GET', `/v1/${policy}?details=true&match=${encodeURIComponent(address)}`);
      found.push(...rules.map(rule => ({ policy, rule })));
    }

    const first = found[0];
    $('verdict').textContent = first === undefined ? `${safe(address)} passes: no rule covers it.`
      : first.policy === 'drop' ? `${safe(address)} is dropped by ${first.rule.cidr}.` : `${safe(address)} passes: ${first.rule.cidr} is in ignore.`;
    if (found.length > 0) {
      $('covering').append(table('Rules that cover the address', [{ title: 'Policy' }, ...columns()], found.map(one => [one.policy, ...row(one.policy, one.rule)])));
    }
  } catch (e) {
    $('verdict').textContent = explain(e);
  }
}

/** Adds the rule of the form; what the guard refuses is offered again. */
export async function add(force) {
  const seconds = Number($('new-expiry').value);
  const written = $('new-cidr').value.trim();
  const cidr = written.includes('/') ? written : `${written}/${written.includes(':') ? 128 : 32}`;
  const rule = { cidr, tag: $('new-tag').value || null, expiration: seconds === 0 ? 0 : Math.floor(Date.now() / 1000) + seconds };
  if ($('new-reason').value !== '') {
    rule.reason = $('new-reason').value;
  }

  $('add-fault').textContent = '';
  $('add-anyway-line').hidden = true;
  try {
    const policy = $('new-policy').value;
    const added = await call('POST', `/v1/${policy}?${force ? 'force=true' : 'guard=refuse'}`, rule);
    $('new-cidr').value = '';
    $('policy').value = policy;
    await list();
    $('count').textContent = `${added.cidr} is in ${policy}.`;
  } catch (e) {
    $('add-fault').textContent = explain(e);
    if (e instanceof ApiError && e.canForce) {
      $('add-anyway-line').hidden = false;
      $('add-anyway').focus();
    }
  }
}

export async function removeTag() {
  const policy = $('gone-policy').value, tag = $('gone-tag').value;
  if (await ask(`Remove every rule of ${policy} with the tag "${tag}"?`, 'Remove all')) {
    await withGuard(force => call('DELETE', `/v1/${policy}/tag/${encodeURIComponent(tag)}?${force}`), text => { $('tag-fault').textContent = text; }, async answer => {
      await list();
      $('count').textContent = `${count(answer.removed)} rules are removed.`;
    });
  }
}
