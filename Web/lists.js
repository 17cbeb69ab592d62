import { call } from './api.js';
import { $, ask, count, foreign, make, safe, table } from './dom.js';
import { explain } from './rules.js';

export async function showSets(may) {
  const rows = [];
  for (const policy of ['drop', 'ignore']) {
    for (const set of await call('GET', `/v1/sets/${policy}`)) {
      rows.push([policy, foreign(set.name), count(set.entry_count), `${count(set.file_size)} bytes`]);
    }
  }

  $('set-list').replaceChildren(rows.length === 0 ? make('p', {}, 'There are no set files.')
    : table('Set files', [{ title: 'Policy' }, { title: 'Name' }, { title: 'Networks', number: true }, { title: 'File', number: true }], rows));
}

export async function reloadSets(may) {
  $('sets-fault').textContent = '';
  try {
    const answer = await call('POST', '/v1/sets/reload?guard=refuse');
    $('sets-fault').textContent = (answer.warnings ?? []).map(safe).join('; ');
    await showSets(may);
  } catch (e) {
    $('sets-fault').textContent = explain(e);
  }
}

/** Tokens are not shown, except that of a client that was just added. */
export async function showClients() {
  const clients = await call('GET', '/v1/client');
  $('client-list').replaceChildren(table('Clients', [{ title: 'Name' }, { title: 'Group' }, { title: 'Change' }], clients.map(one => {
    const button = make('button', { type: 'button', 'aria-label': `Remove client ${safe(one.name)}` }, 'Remove');
    button.addEventListener('click', async () => {
      if (await ask(`Remove client ${one.name}? Its token stops working at once.`, 'Remove')) {
        await change(() => call('DELETE', `/v1/client/${encodeURIComponent(one.name)}`));
      }
    });
    return [foreign(one.name), one.group, button];
  })));
}

export async function addClient() {
  await change(async () => {
    const made = await call('POST', '/v1/client', { name: $('client-name').value, group: $('client-group').value });
    $('client-name').value = '';
    $('new-token').replaceChildren(`Token of ${safe(made.name)}, shown this once: `, make('code', {}, made.token));
  });
}

async function change(action) {
  $('clients-fault').textContent = '';
  $('new-token').replaceChildren();
  try {
    await action();
    await showClients();
  } catch (e) {
    $('clients-fault').textContent = explain(e);
  }
}
