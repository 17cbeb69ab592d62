import { call } from './api.js';
import { $, count, foreign, make, moment, rate, safe } from './dom.js';

const samples = 120, shown = 50;
const graphs = { dropped: [], passed: [] };
let before = null;

export function reset() {
  graphs.dropped.length = graphs.passed.length = 0;
  before = null;
  $('events').replaceChildren();
  $('no-events').hidden = false;
}

/** One sample of the counters; a restart of the daemon makes them smaller. */
export function sample(stats) {
  const now = performance.now();
  const present = { at: now, dropped: stats.xdp.XDP_DROP.rx_packets, passed: stats.xdp.XDP_PASS.rx_packets };
  if (before !== null && now > before.at) {
    for (const name of ['dropped', 'passed']) {
      const values = graphs[name];
      values.push(Math.max(0, present[name] - before[name]) * 1000 / (now - before.at));
      values.splice(0, values.length - samples);
      draw(name, values);
    }
  }

  before = present;
}

function draw(name, values) {
  const highest = Math.max(1, ...values);
  $(name).textContent = rate(values[values.length - 1]);
  $(`${name}-max`).textContent = `${rate(Math.max(...values))}/s`;
  $(`graph-${name}`).firstElementChild.setAttribute('points',
    values.map((value, i) => `${samples - values.length + i + 0.5},${(39 - value / highest * 38).toFixed(2)}`).join(' '));
}

export async function show(may) {
  const status = await call('GET', '/v1/status');
  $('health').textContent = status.health === 'ok' ? 'Everything works.' : 'Something is wrong:';
  $('health').className = status.health === 'ok' ? 'good' : 'bad';
  $('faults').replaceChildren(...status.faults.map(fault => make('li', { class: 'bad' }, safe(fault.message))));
  $('interfaces').replaceChildren(...status.interfaces.map(one => make('li', {},
    make('strong', {}, safe(one.name)), one.state === 'attached' ? ` filters (${safe(one.mode)})` : '',
    one.state === 'attached' ? '' : make('span', { class: 'bad' }, ` does not filter: ${safe(one.error ?? one.state)}`))));
  $('tables').replaceChildren(...status.tables.map(one => {
    const name = `${one.policy} ${one.family === 'ipv4' ? 'IPv4' : 'IPv6'}`;
    const text = `${count(one.entries)} of ${count(one.limit)}`;
    return make('li', {}, `${name}: ${text}`,
      make('meter', { min: 0, max: one.limit, value: one.entries, high: one.limit * 0.9, optimum: 0, 'aria-label': `${name}: ${text}` }));
  }));
  $('daemon').replaceChildren(
    make('li', {}, `couic ${safe(status.version)}`), make('li', {}, `since ${moment(status.started_at)}`),
    make('li', {}, `looks up: ${safe((status.match ?? []).join(', '))}`));
  showCertificate(status.certificate);
  $('peers-card').hidden = !status.peers;
  if (status.peers) {
    const peers = may.includes('stats') ? await call('GET', '/v1/peers') : [];
    $('peers').replaceChildren(
      make('li', {}, `${count(status.peers.up)} of ${count(status.peers.configured)} up, ${count(status.peers.in_sync)} with the same rules`),
      ...peers.map(peer => make('li', { class: peer.state === 'up' ? 'good' : 'bad' }, `${safe(peer.host)}: ${safe(peer.state)}`)));
  }
}

function showCertificate(certificate) {
  $('certificate-card').hidden = !certificate;
  if (certificate) {
    const days = Math.floor((certificate.not_after - Date.now() / 1000) / 86400);
    $('certificate').replaceChildren(
      make('li', { class: days < 30 ? 'bad' : undefined }, `ends ${moment(certificate.not_after)}, ${days < 0 ? 'it has expired' : `in ${count(days)} days`}`),
      make('li', {}, `for ${safe(certificate.names.join(', '))}`), make('li', {}, safe(certificate.fingerprint)));
  }
}

export function addEvent(event) {
  if (event.type === 'connected') {
    return;
  }

  const line = event.type === 'lost'
    ? make('li', { class: 'bad' }, event.lost === null ? 'the daemon has restarted; events in between are lost' : `${count(event.lost)} events are lost`)
    : make('li', {}, `${moment(event.time)} `, make('strong', {}, `${safe(event.state ?? event.action)} `),
      event.type === 'rule' ? `${safe(event.policy)} ` : `${safe(event.type)} ${safe(event.policy ?? '')} `, foreign(event.cidr ?? event.name ?? ''), ...details(event));
  $('no-events').hidden = true;
  $('events').prepend(line);
  while ($('events').children.length > shown) {
    $('events').lastElementChild.remove();
  }
}

function details(event) {
  const texts = [
    event.tag && `tag ${event.tag}`, event.reason, event.by && `by ${event.by}`, event.cause !== 'api' && `(${event.cause})`, event.error];
  return texts.filter(Boolean).flatMap(text => [' ', foreign(text)]);
}
