// The page: what is looked at stands in the address, one stream brings it, and each part shows its own.

import {$, ago, clock, clockTime, count, element, fill, isTold, pairs, percent, points, rows, say, untold} from './shown.js';
import {Stream, keep} from './stream.js';
import * as list from './list.js';
import * as domain from './domain.js';

/** What the address says: a domain, or of the list a page. */
function looked() {
  const hash = location.hash.replace(/^#/, '');
  const found = /^\/domain\/(.+)$/.exec(hash);
  if (found) {
    try {
      return {domain: decodeURIComponent(found[1])};
    } catch {
      return {domain: found[1]};
    }
  }
  const query = new URLSearchParams(hash.split('?')[1] || '');
  return {
    search: query.get('search') || '', filter: query.get('filter') || 'all', order: query.get('order') || 'needs',
    page: Number(query.get('page')) || 0,
  };
}

function listAddress(state) {
  return '#/?' + new URLSearchParams({search: state.search, filter: state.filter, order: state.order, page: state.page});
}

let known = false;

function seen(message) {
  clock(message.at);
  overview(message.overview);
  letters(message);
  if (message.list) list.show(message.list);
  if (message.domain) domain.show(message.domain);
  $('list').hidden = !message.list;
  $('domain').hidden = !message.domain;
  if (!known) {
    known = true;
    // Where there is one domain, there is nothing to choose.
    if (!location.hash && message.list && message.list.matches === 1) location.replace('#/domain/' + encodeURIComponent(message.list.domains[0].domain));
  }
}

function overview(all) {
  const gain = all.latest;
  const figure = $('gain');
  const low = gain && gain.difference - gain.margin;
  const high = gain && gain.difference + gain.margin;
  say(figure, gain ? points(gain.difference) + ' points' : 'not compared yet');
  const told = gain && isTold(gain, all.latestTrained);
  figure.className = 'figure' + (told && low > 0 ? ' good' : gain && high < 0 ? ' bad' : '');
  say($('gain-of'), gain
    ? `${high < 0 ? 'No' : told && low > 0 ? 'Yes' : 'Not to be told yet'}: adapted ${percent(gain.adapted / gain.examples)}, frozen ${percent(gain.frozen / gain.examples)} `
      + `of the newest ${count(gain.examples)} compared examples. 95\u00a0%: ${points(low)} to ${points(high)}; ${count(gain.wins)} won, ${count(gain.losses)} lost.`
      + (told ? '' : ' ' + untold(gain, all.latestTrained))
    : 'The job compares some steps with the frozen model; none was reported in the last day.');
  say($('gain-all'), all.comparison && `Since the start: ${points(all.comparison.difference)} points of ${count(all.comparison.examples)} compared.`);

  say($('serves'), `${count(all.domains)} domain${all.domains === 1 ? '' : 's'}`);
  const answering = all.replicas.filter((each) => each.asked && !each.problem).length;
  say($('serves-of'), `${answering} of ${all.replicas.length} serving process${all.replicas.length === 1 ? '' : 'es'} answer${answering === 1 ? 's' : ''}.`
    + (all.domainsLeft ? ` ${count(all.domainsLeft)} domains are not shown: see dashboard.maxDomains.` : ''));
  pairs($('job'), [
    ['Last step', ago(all.steppedAt) || 'none in the last day'],
    ['Waiting', all.lag === null ? 'unknown' : count(all.lag) + ' examples, by committed offsets'],
    ['Checkpoint', ago(all.checkpointedAt) || 'none reported'],
    ['Trained on', count(all.examples) + ' examples'],
  ]);

  const pressing = all.needs.filter((need) => need.pressing).length;
  say($('need'), all.needs.length === 0 ? 'No' : pressing ? `${pressing} thing${pressing === 1 ? '' : 's'}` : 'Nothing urgent');
  $('need').className = 'figure' + (pressing ? ' bad' : all.needs.length ? ' look' : ' good');
  fill($('need-list'), all.needs, () => {
    const item = element('li');
    item.append(element('a'));
    return item;
  }, (item, need) => {
    const link = item.firstChild;
    item.className = need.pressing ? 'pressing' : '';
    say(link, need.text);
    const one = need.domains.length === 1 && need.text.startsWith('1 ');
    const target = need.kind === 'replica' ? null : one ? '#/domain/' + encodeURIComponent(need.domains[0])
      : need.domains.length ? '#/?filter=' + (need.kind === 'disagree' ? 'needs' : need.kind)
      : null;
    const letters = need.kind === 'dead-letters';
    if (target || letters) link.setAttribute('href', target || location.hash || '#/');
    else link.removeAttribute('href');
    link.onclick = !letters ? null : (event) => {
      event.preventDefault();
      $('letters-table').open = true;
      $('letters').scrollIntoView();
    };
  });
  say($('problems'), all.problems.join(' · ') || (all.caughtUp ? '' : 'reading the topics …'));
}

function letters(message) {
  const {byReason, latest} = message.deadLetters;
  const reasons = Object.entries(byReason);
  say($('letters-say'), reasons.length === 0 ? 'None: every record that came could be trained on.'
    : message.domain ? `Records that could not be trained on, of all domains by reason; below those whose key is this domain: ${count(latest.length)}.`
    : 'Records that could not be trained on, by reason.');
  fill($('reasons'), reasons, () => element('li', 'badge look'), (item, [reason, many]) => say(item, `${reason}: ${count(many)}`));
  $('letters-table').hidden = latest.length === 0;
  if ($('letters-table').open) {
    rows($('letters-table').querySelector('table'), latest, ['', '', 'text', 'text', 'text', 'text'], (letter) =>
      [clockTime(letter.time), letter.reason, letter.message, letter.domain ?? '–', letter.from, letter.text]);
  }
  last = message;
}

let last = null;
$('letters-table').addEventListener('toggle', () => last && letters(last));

const stream = new Stream(seen, (words, lost) => {
  say($('connection'), words);
  $('connection').className = lost ? 'lost' : '';
}, () => {
  say($('connection'), 'a token is needed');
  if (!$('admit').open) $('admit').showModal();
});

$('admit').querySelector('form').addEventListener('submit', (event) => {
  event.preventDefault();
  keep('predict', event.target.elements.token.value);
  event.target.reset();
  $('admit').close();
  stream.start();
});

function go() {
  const at = looked();
  if (!at.domain) domain.leave();
  document.title = at.domain ? at.domain + ' – Millrace' : 'Millrace';
  stream.look('?' + new URLSearchParams(at));
}

list.prepare(looked, (change) => {
  location.hash = listAddress({...looked(), ...change});
});
domain.prepare();
// The address says what is looked at: places on the page are not in it.
document.querySelector('.skip').addEventListener('click', (event) => {
  event.preventDefault();
  $('main').focus();
});
addEventListener('hashchange', go);
go();
