// One domain: its curve, what serves, its rollout, and a text to try.

import {$, ago, badges, clockTime, count, element, fill, hash, isTold, pairs, percent, points, rows, say, short, span, untold} from './shown.js';
import {keep, post, token} from './stream.js';
import * as chart from './chart.js';

let shown = null;

export function leave() {
  shown = null;
  chart.forget();
  say($('outcome'), '');
  $('answers-of').replaceChildren();
}

export function show(detail) {
  if (shown && shown.domain !== detail.domain) leave();
  shown = detail;
  say($('domain-name'), detail.domain);
  badges($('domain-needs'), detail.needs);
  $('unknown').hidden = detail.known;
  chart.show(detail);
  serves(detail);
  rollout(detail);
  training(detail);
  versions(detail);
}

function lived(replica) {
  if (!replica.serving?.liveAt || !replica.newestExampleAt) return null;
  const millis = Date.parse(replica.serving.liveAt) - Date.parse(replica.newestExampleAt);
  return millis >= 0 ? span(millis) : null;
}

const known = (detail) => detail.replicas.find((each) => each.versions) || {versions: [], refusals: []};

function serves(detail) {
  const stable = detail.rollout.stable;
  say($('stable'), stable ? 'version ' + stable.version : 'the base model');
  const versions = known(detail).versions;
  const version = stable && versions.find((each) => each.sha256 === stable.sha256);
  const parent = version && versions.find((each) => each.sha256 === version.parentSha256);
  hash($('stable-hash'), stable?.sha256);
  pairs($('stable-of'), [
    ['Parent', version && (version.parentSha256 ? (parent ? `version ${parent.version}, ` : '') + short(version.parentSha256) : 'the base model')],
    ['Batches', version && (parent ? `steps ${count(parent.steps + 1)} to ${count(version.steps)}` : `up to step ${count(version.steps)}`)],
    ['Examples', version && count(version.examples)],
  ]);
  rows($('replicas'), detail.replicas, ['name', 'n', '', 'n'], (replica) => {
    const other = stable && replica.serving?.version === stable.version && replica.serving.sha256 !== stable.sha256;
    return [
      replica.address.replace(/^https?:\/\/|\/$/g, ''),
      replica.problem ? '–' : (replica.serving?.version ?? 'none') + (other ? ', another hash' : ''),
      replica.problem || (replica.serving?.liveAt ? ago(replica.serving.liveAt) : replica.serving ? 'not loaded' : '–'),
      lived(replica) ?? '–',
    ];
  });
}

function rollout(detail) {
  const {rollout: state, evidence} = detail;
  say($('policy'), state.policy);
  say($('candidate'), state.candidate
    ? `Version ${state.candidate.version} answers ${percent(state.share)} of the requests${state.held ? '; held: ' + state.held : ''}.`
    : 'No version is on trial.');
  $('evidence').hidden = !evidence;
  if (evidence) {
    const decisive = Math.max(1, evidence.wins + evidence.losses);
    $('wins').style.width = 100 * evidence.wins / decisive + '%';
    $('losses').style.width = 100 * evidence.losses / decisive + '%';
    say($('evidence-says'), `Version ${evidence.tried} against ${evidence.against}${evidence.watch ? ', after its promotion' : ''}: `
      + `${count(evidence.wins)} won, ${count(evidence.losses)} lost, ${count(evidence.examples)} of at most ${count(evidence.limit)} examples.`);
  }
  $('promote').disabled = !state.candidate;
  $('rollback').disabled = !state.stable;
  $('pin').disabled = !state.newest && !state.stable;
  const last = state.decided;
  say($('decided'), `Revision ${state.revision}` + (last ? `: ${last.action} by ${last.author}, ${ago(last.createdAt)}${last.reason ? ': ' + last.reason : ''}` : ': nothing was decided yet'));
}

function training(detail) {
  const now = detail.training;
  say($('trained'), now ? `step ${count(now.step)}` : 'not trained');
  const gain = detail.latest;
  pairs($('training'), [
    ['Accuracy now', percent(detail.accuracy)],
    ['Against frozen', gain ? `${points(gain.difference)} points ± ${(gain.margin * 100).toFixed(1)}, newest ${count(gain.examples)} compared` : 'not compared yet'],
    ['', gain && !isTold(gain, detail.latestTrained) && untold(gain, detail.latestTrained) || null],
    ['Since its start', detail.comparison && `${points(detail.comparison.difference)} points, ${count(detail.comparison.examples)} compared`],
    ['Examples', now && count(now.examples)],
    ['Last step', now && `${ago(now.steppedAt)}, took ${span(now.stepMillis)}`],
    ['Newest example', now && ago(now.newestExampleAt)],
    ['Checkpoint', now && (ago(now.checkpointedAt) || 'none since the job started')],
  ]);
}

function versions(detail) {
  const {versions: list, refusals} = known(detail);
  const entries = [
    ...list.map((each) => ({...each, note: each.sha256 === detail.rollout.stable?.sha256 ? 'serves' : each.sha256 === detail.rollout.candidate?.sha256 ? 'on trial' : ''})),
    ...refusals.map((each) => ({...each, note: 'refused: ' + each.reason})),
  ].sort((a, b) => b.version - a.version);
  rows($('versions'), entries, ['n', '', '', 'n', 'n', '', '', 'text'], (each, row) => {
    hash(row.cells[1], each.sha256);
    return [each.version, undefined, each.parentSha256 ? short(each.parentSha256) : '–', count(each.steps), count(each.examples),
      each.createdAt ? clockTime(each.createdAt) : '–', each.liveAt ? clockTime(each.liveAt) : '–', each.note];
  });
  const decisions = detail.marks.filter((mark) => mark.action !== 'published').sort((a, b) => b.time - a.time);
  rows($('marks'), decisions, ['', '', 'n', '', 'text'], (mark) =>
    [clockTime(mark.time), mark.action, mark.version ?? '', mark.author, mark.reason]);
}

// --- decisions ---

const DECISIONS = {
  promote: (state) => ['Promote', `Version ${state.candidate.version} is to answer all requests`, state.candidate.version],
  rollback: (state) => ['Roll back', `Version ${state.stable.version} is to answer no more; the version before it takes its place`, null],
  pin: (state) => ['Pin', 'One version is to answer, whatever is published', state.stable?.version ?? state.newest?.version],
};

let asked = null;

function ask(action) {
  const state = shown.rollout;
  const [verb, says, version] = DECISIONS[action](state);
  asked = {action, verb, domain: shown.domain, revision: state.revision, version};
  const form = $('decide').querySelector('form');
  form.reset();
  say($('decide-title'), `${verb}: ${shown.domain}`);
  say($('decide-says'), `${says}. The decision is made on top of revision ${state.revision}: if somebody decides first, this one has no effect.`);
  $('decide-version').hidden = action !== 'pin';
  form.elements.version.value = action === 'pin' ? version : '';
  $('decide-token').hidden = Boolean(token('rollout'));
  say($('decide-yes'), verb);
  $('decide').showModal();
}

async function decide(form) {
  const {action, verb, domain, revision, version} = asked;
  if (form.elements.token.value) keep('rollout', form.elements.token.value);
  const body = {domain, revision, author: 'page', reason: form.elements.reason.value};
  if (action === 'pin') body.version = Number(form.elements.version.value);
  if (action === 'promote') body.version = version;
  $('decide').close();
  say($('outcome'), verb + ' …');
  const answer = await post('/v1/rollouts/' + action, 'rollout', body);
  if (answer.status === 401) keep('rollout', null);
  if (answer.status === 200) {
    const stable = answer.body.stable;
    say($('outcome'), `Done: revision ${answer.body.revision}, ${stable ? 'version ' + stable.version : 'the base model'} serves.`);
  } else {
    say($('outcome'), `${answer.status === 409 ? 'Not done, somebody decided first' : 'Not done'}: ${answer.body.error}`);
  }
}

// --- a text ---

async function answer(domain, version, text) {
  const path = `/v2/models/${encodeURIComponent(domain)}/versions/${version}/infer`;
  const input = {name: 'text', datatype: 'BYTES', shape: [1], data: [text]};
  const {status, body} = await post(path, 'predict', {inputs: [input]});
  if (status !== 200) return {error: body.error};
  const output = (name) => body.outputs.find((each) => each.name === name).data;
  const labels = output('labels');
  const probabilities = output('probabilities').flat();
  return {label: output('label')[0], scores: labels.map((label, i) => ({label, p: probabilities[i]})).sort((a, b) => b.p - a.p).slice(0, 6)};
}

function panel(title, result) {
  const box = element('div', 'answer');
  box.append(element('h3', '', title));
  if (result.error || result.says) {
    box.append(element('p', 'quiet', result.error || result.says));
    return box;
  }
  box.append(element('p', 'figure', result.label));
  for (const score of result.scores) {
    const row = element('div', 'row');
    const share = element('div', 'share');
    share.setAttribute('aria-hidden', 'true');
    share.append(element('span'));
    share.firstChild.style.width = 100 * score.p + '%';
    row.append(element('span', 'label', score.label), share, element('span', 'n', percent(score.p)));
    box.append(row);
  }
  return box;
}

async function tryText(text) {
  const {domain, rollout: {stable, candidate}} = shown;
  const [ofStable, ofCandidate] = await Promise.all([
    stable ? answer(domain, stable.version, text) : {says: 'No version serves.'},
    candidate ? answer(domain, candidate.version, text) : {says: 'No version is on trial.'},
  ]);
  if (!shown || shown.domain !== domain) return;
  $('answers-of').replaceChildren(
    panel('Frozen', {says: 'The base model alone knows no labels: it answers with a vector. The head that it is given for the comparison is trained within the job and does not serve.'}),
    panel(stable ? `Stable: version ${stable.version}` : 'Stable', ofStable),
    panel(candidate ? `Candidate: version ${candidate.version}` : 'Candidate', ofCandidate),
  );
}

export function prepare() {
  for (const action of Object.keys(DECISIONS)) $(action).addEventListener('click', () => ask(action));
  const form = $('decide').querySelector('form');
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    decide(form);
  });
  $('decide-no').addEventListener('click', () => $('decide').close());
  $('try').addEventListener('submit', (event) => {
    event.preventDefault();
    if (shown && $('text').value.trim()) tryText($('text').value);
  });
  $('chart-table').addEventListener('toggle', () => shown && chart.show(shown));
  addEventListener('resize', () => shown && chart.show(shown));
}
