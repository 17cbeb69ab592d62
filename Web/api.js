// Requests to the daemon. The token is a variable of this module: it is neither stored nor part of an address.

let token = '';
let last = null;
let stream = null;

export class ApiError extends Error {
  constructor(status, body) {
    super(body.message ?? `status ${status}`);
    this.status = status;
    this.fields = body.errors ?? {};
  }

  /** One sentence per faulty field, in words for a page. */
  get text() {
    const texts = Object.entries(this.fields).map(([name, fault]) => name === 'cidr' ? fault.message : `${name}: ${fault.message}`);
    return (texts.length > 0 ? texts.join('; ') : this.message).replace(/,? *(or )?(say )?\(?\?force=true( if that is meant)?\)?/g, '');
  }

  /** Whether the guard refused what can be asked for on purpose. */
  get canForce() {
    return this.status === 422 && Object.values(this.fields).concat([{ message: this.message }]).some(fault => fault.message.includes('force=true'));
  }
}

export function setToken(value) {
  token = value;
  last = null;
  stream?.abort();
}

function send(method, path, body, more = {}) {
  const headers = { authorization: `Bearer ${token}`, ...more.headers };
  if (body !== undefined) {
    headers['content-type'] = 'application/json';
  }

  return fetch(path, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body),
    cache: 'no-store', credentials: 'omit', redirect: 'error', referrerPolicy: 'no-referrer', signal: more.signal,
  });
}

async function fail(response) {
  let body = {};
  try {
    body = await response.json();
  } catch {
    // Not the daemon's: a proxy, for example.
  }

  throw new ApiError(response.status, body);
}

/** The JSON of an answer; null for one without a body. Throws ApiError, or TypeError when the daemon is not there. */
export async function call(method, path, body) {
  const response = await send(method, path, body);
  if (!response.ok) {
    await fail(response);
  }

  return response.status === 204 ? null : response.json();
}

/** Follows the events until the token is set again; `onState` is told whether the stream is there. */
export async function follow(onEvent, onState) {
  stream?.abort();
  const mine = stream = new AbortController();
  for (let pause = 500; !mine.signal.aborted; pause = Math.min(pause * 2, 4000)) {
    try {
      const headers = { accept: 'application/x-ndjson' };
      if (last !== null) {
        headers['last-event-id'] = last;
      }

      const response = await send('GET', '/v1/events', undefined, { headers, signal: mine.signal });
      if (!response.ok) {
        await fail(response);
      }

      pause = 250;
      onState(true);
      await read(response.body.getReader(), onEvent);
    } catch (e) {
      if (e instanceof ApiError && e.status === 401) {
        onState(false, e);
        return;
      }
    }

    if (!mine.signal.aborted) {
      onState(false);
      await new Promise(done => setTimeout(done, pause));
    }
  }
}

async function read(reader, onEvent) {
  const decoder = new TextDecoder();
  for (let rest = ''; ;) {
    const { done, value } = await reader.read();
    if (done) {
      return;
    }

    const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
    rest = lines.pop();
    for (const line of lines.filter(text => text.length > 0)) {
      const event = JSON.parse(line);
      last = event.id;
      onEvent(event);
    }
  }
}
