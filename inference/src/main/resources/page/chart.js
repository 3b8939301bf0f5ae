// The curve of a domain: moving accuracy, adapted beside frozen, and marks.

import {$, clockTime, count, percent, rows, say} from './shown.js';

const HEIGHT = 240;

/** Sums of the newest values up to each point, over at least `width` of `of`; null where there are too few. */
function moving(hits, of, width, least) {
  const shares = [];
  let from = 0;
  let seen = 0;
  let right = 0;
  for (let i = 0; i < of.length; i++) {
    seen += of[i];
    right += hits[i];
    while (from < i && seen - of[from] >= width) {
      seen -= of[from];
      right -= hits[from];
      from++;
    }
    shares.push(seen >= least && seen > 0 ? right / seen : null);
  }
  return shares;
}

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

let chart = null;
let marks = [];
let drawn = '';
let shown = null;

function drawMarks(u) {
  const {ctx, bbox} = u;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.textAlign = 'left';
  let free = -Infinity;
  for (const mark of marks) {
    const x = u.valToPos(mark.time / 1000, 'x', true);
    if (x < bbox.left - 1 || x > bbox.left + bbox.width + 1) continue;
    const published = mark.action === 'published';
    const drift = mark.action === 'drift';
    ctx.strokeStyle = colour(published ? '--mark' : drift ? '--stop' : '--ink');
    ctx.lineWidth = (published ? 1 : 1.5) * ratio;
    ctx.setLineDash(drift ? [4 * ratio, 3 * ratio] : []);
    ctx.beginPath();
    ctx.moveTo(x, published ? bbox.top + bbox.height - 7 * ratio : bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    if (!published && x > free) {
      const label = mark.version ? `${mark.action} ${mark.version}` : mark.action;
      ctx.fillStyle = ctx.strokeStyle;
      ctx.fillText(label, x + 3 * ratio, bbox.top + 10 * ratio);
      free = x + ctx.measureText(label).width + 8 * ratio;
    }
  }
  ctx.restore();
}

/** The time of day, with seconds where the axis tells them apart. */
function hour(seconds, step) {
  return new Date(seconds * 1000).toLocaleTimeString('en-GB', step < 60 ? {} : {hour: '2-digit', minute: '2-digit'});
}

function make(width) {
  const axis = () => ({
    stroke: colour('--quiet'), grid: {stroke: colour('--line'), width: 1}, ticks: {stroke: colour('--line'), width: 1},
    font: '11px system-ui, sans-serif',
  });
  return new uPlot({
    width, height: HEIGHT, legend: {show: false}, cursor: {show: true, points: {show: false}, drag: {x: false, y: false}},
    scales: {x: {time: true}, y: {range: (u, low, high) => (low === null ? [0, 1]
      : [Math.max(0, Math.floor(low * 10 - 0.2) / 10), Math.min(1, Math.ceil(high * 10 + 0.2) / 10)])}},
    axes: [{...axis(), values: (u, splits, index, space, step) => splits.map((s) => hour(s, step))}, {...axis(), size: 54, values: (u, values) => values.map((v) => Math.round(v * 100) + '\u00a0%')}],
    series: [
      {},
      {stroke: colour('--accent'), width: 2, points: {show: false}},
      {stroke: colour('--frozen'), width: 2, dash: [6, 4], points: {show: false}, spanGaps: true},
    ],
    hooks: {draw: [drawMarks]},
  }, [[], [], []], $('chart'));
}

export function forget() {
  chart?.destroy();
  chart = null;
  drawn = '';
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  if (!chart) return;
  forget();
  show(shown);
});

/** Shows a domain's curve; `detail` as the service sends it. */
export function show(detail) {
  shown = detail;
  const curve = detail.curve;
  const total = curve.examples.reduce((a, b) => a + b, 0);
  const width = Math.min(2000, Math.max(100, Math.round(total / 1500) * 100));
  const adapted = moving(curve.correct, curve.examples, width, Math.min(width, 32));
  const compared = curve.compared.reduce((a, b) => a + b, 0);
  // The same time as of the adapted one, though not all examples of that time were compared.
  const frozen = moving(curve.comparedFrozen, curve.compared, Math.max(64, width * compared / Math.max(1, total)), 32);
  marks = detail.marks;
  const box = $('chart').clientWidth || 600;
  const key = JSON.stringify([curve, marks, box]);
  if (key !== drawn || !chart) {
    drawn = key;
    if (!chart) chart = make(box);
    if (chart.width !== box) chart.setSize({width: box, height: HEIGHT});
    chart.setData([curve.times.map((t) => t / 1000), adapted, frozen]);
  }
  const last = (shares) => (shares.length ? shares[shares.length - 1] : null);
  say($('key-adapted'), 'adapted ' + percent(last(adapted)));
  say($('key-frozen'), 'frozen ' + percent(last(frozen)));
  say($('chart-says'), total === 0 ? 'No training step has been reported in the last day.'
    : `Share of examples predicted before training on them, moving over ${count(width)} examples; ${count(total)} examples shown. `
      + 'Frozen: the base model with a trained head of its own, on the steps that are compared.');
  if ($('chart-table').open) {
    const newestFirst = curve.times.map((time, i) => i).reverse();
    rows($('chart-table').querySelector('table'), newestFirst, ['', 'n', 'n', 'n', 'n'], (i) => [
      clockTime(curve.times[i]), count(curve.steps[i]), percent(adapted[i]), percent(frozen[i]), count(curve.examples[i]),
    ]);
  }
}
