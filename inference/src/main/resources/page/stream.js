// The one stream of this tab, and what it asks of the service. Tokens live as long as the tab.

const tokens = {predict: 'millrace.predict', rollout: 'millrace.rollout'};
export const token = (kind) => sessionStorage.getItem(tokens[kind]);
export function keep(kind, text) {
  if (text) sessionStorage.setItem(tokens[kind], text);
  else sessionStorage.removeItem(tokens[kind]);
}

function headers(kind, more) {
  const shown = token(kind);
  return shown ? {...more, Authorization: 'Bearer ' + shown} : more;
}

/** Posts JSON. Answers {status, body}; a body without JSON, or no answer, becomes an error of its own. */
export async function post(path, kind, body) {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: headers(kind, {'Content-Type': 'application/json'}),
      body: JSON.stringify(body),
    });
    return {status: response.status, body: await response.json()};
  } catch (failure) {
    return {status: 0, body: {error: 'no answer: ' + failure.message}};
  }
}

const SILENCE = 40000;

/** Reads what the service sends about what is looked at, again and again. */
export class Stream {
  #query = '';
  #abort = null;
  #retry = null;
  #pause = 1000;

  /** `seen` gets what is to be shown, `state` a word on the connection and whether it is lost, `refused` is called for a token. */
  constructor(seen, state, refused) {
    this.seen = seen;
    this.state = state;
    this.refused = refused;
    // A browser opens few connections to one address: tabs that nobody sees leave theirs to others.
    document.addEventListener('visibilitychange', () => (document.hidden ? this.stop() : this.start()));
  }

  look(query) {
    if (this.#abort && query === this.#query) return;
    this.#query = query;
    this.start();
  }

  stop() {
    clearTimeout(this.#retry);
    this.#abort?.abort();
    this.#abort = null;
  }

  start() {
    this.stop();
    const abort = new AbortController();
    this.#abort = abort;
    this.#read(abort).then(
      () => this.#again(abort, 'the stream ended'),
      (failure) => this.#again(abort, failure.message),
    );
  }

  #again(abort, why) {
    if (this.#abort !== abort) return;
    this.#abort = null;
    if (why === 'token') return;
    this.state('not connected: ' + why, true);
    this.#retry = setTimeout(() => this.start(), this.#pause);
    this.#pause = Math.min(10000, this.#pause * 2);
  }

  async #read(abort) {
    const response = await fetch('/page/events' + this.#query, {
      headers: headers('predict', {Accept: 'text/event-stream'}),
      signal: abort.signal,
      cache: 'no-store',
    });
    if (response.status === 401) {
      keep('predict', null);
      this.refused();
      throw new Error('token');
    }
    if (!response.ok) throw new Error((await response.json()).error);
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let held = '';
    let silence;
    try {
      for (;;) {
        clearTimeout(silence);
        silence = setTimeout(() => abort.abort(), SILENCE);
        const {value, done} = await reader.read();
        if (done) return;
        const events = (held + value).split('\n\n');
        held = events.pop();
        for (const event of events) {
          if (!event.startsWith('data: ')) continue;
          this.#pause = 1000;
          this.state('live', false);
          this.seen(JSON.parse(event.slice(6)));
        }
      }
    } finally {
      clearTimeout(silence);
    }
  }
}
