// The list of domains: a page of it, searched, filtered and sorted by the service.

import {$, ago, badges, count, element, fill, percent, points, say} from './shown.js';

const FILTERS = {all: 'All', needs: 'Needs you', drift: 'Drift', canary: 'Canary', held: 'Held', refused: 'Refused'};
const ORDERS = {needs: 'Needs you first', name: 'Name', recent: 'Latest step', gain: 'Least gain first'};
const SVG = 'http://www.w3.org/2000/svg';

/** `go` is called with what of the list is to be shown. */
export function prepare(state, go) {
  for (const [word, name] of Object.entries(FILTERS)) {
    const button = element('button', '', name);
    button.type = 'button';
    button.dataset.filter = word;
    button.addEventListener('click', () => go({filter: word, page: 0}));
    $('filters').append(button);
  }
  for (const [word, name] of Object.entries(ORDERS)) {
    const option = element('option', '', name);
    option.value = word;
    $('order').append(option);
  }
  $('order').addEventListener('change', () => go({order: $('order').value, page: 0}));
  let typing;
  $('search').addEventListener('input', () => {
    clearTimeout(typing);
    typing = setTimeout(() => go({search: $('search').value, page: 0}), 200);
  });
  $('previous').addEventListener('click', () => go({page: state().page - 1}));
  $('next').addEventListener('click', () => go({page: state().page + 1}));
}

function spark(cell, outline) {
  const key = outline.join();
  if (cell.dataset.outline === key) return;
  cell.dataset.outline = key;
  cell.replaceChildren();
  if (outline.length < 2) return;
  const picture = document.createElementNS(SVG, 'svg');
  picture.setAttribute('class', 'spark');
  picture.setAttribute('viewBox', '0 0 100 22');
  picture.setAttribute('preserveAspectRatio', 'none');
  picture.setAttribute('role', 'img');
  picture.setAttribute('aria-label', `accuracy from ${percent(outline[0])} to ${percent(outline[outline.length - 1])}`);
  const line = document.createElementNS(SVG, 'polyline');
  const low = Math.min(...outline);
  const range = Math.max(0.05, Math.max(...outline) - low);
  line.setAttribute('points', outline.map((share, i) =>
    `${(100 * i / (outline.length - 1)).toFixed(1)},${(20 - 18 * (share - low) / range).toFixed(1)}`).join(' '));
  picture.append(line);
  cell.append(picture);
}

const href = (domain) => '#/domain/' + encodeURIComponent(domain);

export function show(list) {
  for (const button of $('filters').children) {
    button.setAttribute('aria-pressed', button.dataset.filter === list.filter);
  }
  if (document.activeElement !== $('search') && $('search').value !== list.search) $('search').value = list.search;
  $('order').value = list.order;
  fill($('domains').tBodies[0], list.domains, () => {
    const row = element('tr');
    ['name', 'n', 'n', '', 'n', 'n', '', ''].forEach((name) => row.append(element('td', name)));
    row.cells[0].append(element('a'));
    row.cells[7].append(element('span', 'badges'));
    return row;
  }, (row, domain) => {
    const link = row.cells[0].firstChild;
    say(link, domain.domain);
    if (link.getAttribute('href') !== href(domain.domain)) link.setAttribute('href', href(domain.domain));
    say(row.cells[1], percent(domain.accuracy));
    say(row.cells[2], domain.latest ? points(domain.latest.difference) + ' ± ' + (domain.latest.margin * 100).toFixed(1) : '–');
    spark(row.cells[3], domain.outline);
    say(row.cells[4], domain.stable ?? '–');
    say(row.cells[5], domain.candidate ?? '');
    say(row.cells[6], ago(domain.steppedAt) || '–');
    badges(row.cells[7].firstChild, domain.needs);
  });
  $('empty').hidden = list.domains.length > 0;
  say($('empty'), list.search || list.filter !== 'all' ? 'No domain matches.' : 'No domain is known yet: the topics hold no step, version or decision.');
  say($('page-of'), `Page ${list.page + 1} of ${list.pages}; ${count(list.matches)} domain${list.matches === 1 ? '' : 's'}`);
  $('previous').disabled = list.page === 0;
  $('next').disabled = list.page + 1 >= list.pages;
}
