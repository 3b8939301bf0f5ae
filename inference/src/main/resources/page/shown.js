// What every view needs: elements, numbers and times as people read them. Text of others only ever becomes text.

export const $ = (id) => document.getElementById(id);

/** Sets an element's text where it differs: what is selected or read aloud stays. */
export function say(element, text) {
  const shown = text === null || text === undefined ? '' : String(text);
  if (element.textContent !== shown) element.textContent = shown;
}

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Gives a parent as many children as there are items, and lets `update` fill each. Children stay, and so does focus. */
export function fill(parent, items, make, update) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  items.forEach((item, i) => {
    let child = parent.children[i];
    if (!child) {
      child = make();
      parent.append(child);
    }
    update(child, item, i);
  });
}

/** A table's rows; `cells` gives for an item what each cell holds: a text, or an object with `text`, `className`. */
export function rows(table, items, classes, cells) {
  const body = table.tBodies[0];
  fill(body, items, () => {
    const row = document.createElement('tr');
    classes.forEach((className) => row.append(element('td', className)));
    return row;
  }, (row, item) => cells(item, row).forEach((cell, i) => {
    if (cell !== undefined) say(row.cells[i], cell);
  }));
  table.hidden = items.length === 0;
}

/** Terms and what they are. */
export function pairs(list, entries) {
  const flat = entries.filter((each) => each[1] !== null && each[1] !== undefined).flat();
  while (list.children.length > flat.length) list.lastElementChild.remove();
  flat.forEach((text, i) => {
    if (!list.children[i]) list.append(element(i % 2 ? 'dd' : 'dt'));
    say(list.children[i], text);
  });
}

const whole = new Intl.NumberFormat('en', {maximumFractionDigits: 0});
export const count = (n) => (n === null || n === undefined ? '–' : whole.format(n));
export const percent = (share) => (share === null || share === undefined ? '–' : (share * 100).toFixed(1) + '\u00a0%');
export const points = (share) => (share < 0 ? '−' : '+') + Math.abs(share * 100).toFixed(1);

/** The server's clock minus this one's, in milliseconds. */
let ahead = 0;
export function clock(at) {
  ahead = Date.parse(at) - Date.now();
}
export const now = () => Date.now() + ahead;

export function span(millis) {
  const s = Math.max(0, millis) / 1000;
  if (s < 1) return Math.round(s * 1000) + ' ms';
  if (s < 10) return s.toFixed(1) + ' s';
  if (s < 120) return Math.round(s) + ' s';
  if (s < 7200) return Math.round(s / 60) + ' min';
  if (s < 172800) return Math.round(s / 3600) + ' h';
  return Math.round(s / 86400) + ' days';
}

/** How long ago, in steps that do not change at every look. */
export function ago(time) {
  if (!time) return null;
  const millis = now() - (typeof time === 'number' ? time : Date.parse(time));
  return millis < 2000 ? 'now' : span(millis < 10000 ? Math.round(millis / 1000) * 1000 : millis).replace('.0', '') + ' ago';
}

export function clockTime(time) {
  const date = new Date(time);
  const today = new Date(now()).toDateString() === date.toDateString();
  const hours = date.toLocaleTimeString('en-GB');
  return today ? hours : date.toISOString().slice(0, 10) + ' ' + hours;
}

export const short = (sha256) => (sha256 ? sha256.slice(0, 12) : '–');

/** A hash's beginning, and a button that copies all of it. */
export function hash(cell, sha256) {
  if (cell.dataset.hash === (sha256 || '')) return;
  cell.dataset.hash = sha256 || '';
  cell.replaceChildren();
  if (!sha256) {
    cell.textContent = '–';
    return;
  }
  const code = element('code', '', short(sha256));
  code.title = sha256;
  const copy = element('button', 'copy', 'copy');
  copy.type = 'button';
  copy.setAttribute('aria-label', 'Copy the hash ' + short(sha256));
  copy.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(sha256);
      copy.textContent = 'copied';
    } catch {
      // Without a secure context there is no clipboard: the hash is shown to be selected.
      code.textContent = sha256;
      copy.remove();
    }
  });
  cell.append(code, ' ', copy);
}

const words = {refused: 'refused', disagree: 'replicas disagree', held: 'held', drift: 'drift', canary: 'canary'};
export function badges(parent, needs) {
  fill(parent, needs, () => element('span'), (badge, need) => {
    badge.className = 'badge ' + (need === 'drift' || need === 'canary' ? 'look' : 'act');
    say(badge, words[need] || need);
  });
}

/** Whether the frozen model has learnt from nearly as many examples as the adapted one: else it does worse than it could. */
export const isTold = (gain, trained) => gain.examples >= 0.95 * trained;
export const untold = (gain, trained) => `Only ${percent(gain.examples / trained)} of the examples were compared, and the frozen model has learnt from these alone: `
  + 'it could do better. progress.frozenShare=0.3 compares all.';
