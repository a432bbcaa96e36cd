"use strict";

/* ---- The data: columns of whole numbers, decoded once ------------------------------------- */

const data = JSON.parse(document.getElementById("data").textContent);
const { steps, texts, paths, names, elapsed } = data;
const end = elapsed || 1;
const WAITING = -1;

/** Spans of time in seconds. */
function decodedTimes(times) {
  const spans = [];
  for (let at = 0, start = 0; at < times.length; at += 2) {
    start += times[at];
    spans.push({ start: start * data.unit, end: (start + times[at + 1]) * data.unit });
  }
  return spans;
}

/** A step: its calls, and when they worked, which a generator that waits for its reader doesn't. */
function decodedLane(lane) {
  const calls = decodedTimes(lane.times);
  const work = lane.work ? decodedTimes(lane.work) : calls;
  for (const [index, text] of lane.failed) Object.assign(calls[index], { failed: true, text });
  for (const [index, attempt] of lane.again) calls[index].attempt = attempt;
  const marks = calls.filter(call => call.failed || call.attempt);
  return { ...lane, calls, work, marks };
}

/** An output: its spans, with a span of the step WAITING wherever there is time between two. */
function decodedRow(flat, path, item) {
  const spans = [];
  let before = 0;
  for (let at = 0; at < flat.length; at += 4) {
    const start = before + flat[at + 1];
    const stop = start + flat[at + 2];
    if (at && start > before) {
      spans.push({ step: WAITING, start: before * data.unit, end: start * data.unit, next: flat[at] });
    }
    spans.push({ step: flat[at], start: start * data.unit, end: stop * data.unit, text: flat[at + 3] });
    before = stop;
  }
  const last = spans.reduce((most, span) => Math.max(most, span.end), 0);
  return { path, item, spans, start: spans.length ? spans[0].start : 0, end: last };
}

const lanes = data.lanes.map(decodedLane);
const rows = [];
paths.forEach(([, count], path) => {
  for (let item = 0; item < count; item++) rows.push(decodedRow(data.rows[rows.length], path, item));
});

/* ---- Texts -------------------------------------------------------------------------------- */

const number = count => count.toLocaleString("en-US");
const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

/** A time with its unit; `fine` is the smallest difference that must show. */
function seconds(time, fine = time / 100) {
  const [factor, unit] = time >= 1 || !time ? [1, "s"] : time >= 1e-3 ? [1e3, "ms"] : [1e6, "µs"];
  const digits = Math.max(0, Math.min(9, Math.ceil(-Math.log10((fine || 1) * factor))));
  return `${Number((time * factor).toFixed(digits))} ${unit}`;
}

function pathName(path) {
  const through = paths[path][0];
  return `${names[path]}${through ? `: ${through}` : ""}`;
}

function rowName(row) {
  return paths.length > 1 ? `${names[row.path]} · ${row.item}` : `${row.item}`;
}

function groupName(group) {
  const [first, last] = [group[0], group[group.length - 1]];
  if (first.path !== last.path) return `paths ${first.path}–${last.path}`;
  return `${rowName(first)}–${last.item}`;
}

/* ---- Elements: texts of the run go through textContent only, so they are shown literally ---- */

const $ = id => document.getElementById(id);

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

const swatch = step => {
  const made = element("span", { className: "swatch" });
  made.style.background = colour(step);
  return made;
};

/* ---- Colours: a canvas must be told what CSS knows ------------------------------------------ */

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const isDark = () => getComputedStyle(document.documentElement).colorScheme === "dark";
const colour = step => (step === WAITING ? css("--waiting") : data.colours[isDark() ? 1 : 0][step]);

/** What one picture needs, looked up once for all of its lines. */
function brushes() {
  const tile = element("canvas", { width: 6, height: 6 });
  const pen = tile.getContext("2d");
  pen.fillStyle = css("--faint");
  pen.fillRect(0, 0, 6, 6);
  pen.strokeStyle = css("--waiting");
  pen.lineWidth = 1.4;
  for (const shift of [-6, 0, 6]) {
    pen.moveTo(shift, 6);
    pen.lineTo(shift + 6, 0);
  }
  pen.stroke();
  return {
    steps: data.colours[isDark() ? 1 : 0],
    hatched: pen.createPattern(tile, "repeat"),
    line: css("--faint"), ink: css("--ink"), failure: css("--failure"),
  };
}

/* ---- The view: which part of the time is seen, and which outputs -------------------------- */

const view = { from: 0, to: end, filter: "", path: -1, opened: new Set() };
const SHORTEST = end * 1e-7;

function show(from, to) {
  const span = Math.min(Math.max(to - from, SHORTEST), end);
  view.from = Math.min(Math.max(from, 0), end - span);
  view.to = view.from + span;
  update();
}

function zoom(factor, at = (view.from + view.to) / 2) {
  const span = Math.min(Math.max((view.to - view.from) * factor, SHORTEST), end);
  const part = (at - view.from) / (view.to - view.from);
  show(at - part * span, at - part * span + span);
}

const move = part => show(view.from + part * (view.to - view.from), view.to + part * (view.to - view.from));
const seen = span => span.start <= view.to && span.end >= view.from;

/* ---- Which lines there are ------------------------------------------------------------------ */

const MOST_LANES = 60;
const MOST_SINGLE = 200;
const MOST_GROUPS = 120;

/** The lanes that the filter leaves; where that is too many, those that were longest at work. */
function shownLanes() {
  const named = lanes.filter(lane => steps[lane.step].toLowerCase().includes(view.filter));
  const fitting = named.length ? named : lanes;
  const longest = [...fitting].sort((one, other) => other.busy - one.busy).slice(0, MOST_LANES);
  const kept = new Set(longest);
  const hidden = fitting.length - kept.size;
  $("lanes-note").textContent = hidden
    ? `the ${MOST_LANES} of ${number(fitting.length)} steps that were longest at work; filter for others`
    : "";
  return fitting.filter(lane => kept.has(lane));
}

/** The outputs that the filters leave and that something happens to in the time that is seen. */
function shownRows() {
  const fitting = new Set();
  steps.forEach((step, index) => step.toLowerCase().includes(view.filter) && fitting.add(index));
  const byPath = names.map(name => name.toLowerCase() === view.filter);
  const whole = view.from === 0 && view.to === end;
  return rows.filter(row =>
    (view.path < 0 || row.path === view.path) &&
    (!view.filter || byPath[row.path] || row.spans.some(span => fitting.has(span.step))) &&
    row.spans.length && (whole || seen(row)));
}

/** The lines for these outputs: one each or, where there are many, one for a block of neighbours,
 *  with its outputs below it where it was opened. Blocks keep to what is 1, 2 or 5 times a power
 *  of ten, so that one keeps its place and its name while others come and go. */
function rowLines(shown) {
  if (shown.length <= MOST_SINGLE) return shown.map(row => ({ rows: [row], row }));
  let size = 10;
  for (let turn = 0; ; turn++) {
    const blocks = blocksOf(shown, size);
    if (blocks.size <= Math.max(MOST_GROUPS, paths.length)) return opened(blocks);
    size *= turn % 3 === 1 ? 2.5 : 2;
  }
}

function blocksOf(shown, size) {
  const blocks = new Map();
  for (const row of shown) {
    const key = `${row.path}/${size}/${Math.floor(row.item / size)}`;
    if (!blocks.has(key)) blocks.set(key, []);
    blocks.get(key).push(row);
  }
  return blocks;
}

function opened(blocks) {
  const lines = [];
  for (const [key, block] of blocks) {
    const open = view.opened.has(key);
    lines.push({ rows: block, key, open });
    if (open) lines.push(...block.map(row => ({ rows: [row], row, inner: true })));
  }
  return lines;
}

/* ---- Painting ------------------------------------------------------------------------------ */

/** A pen for a canvas as large as its element, in CSS pixels, with the grid drawn. */
function cleared(canvas, brush) {
  const [width, height, scale] = [canvas.clientWidth, canvas.clientHeight, devicePixelRatio || 1];
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  pen.fillStyle = brush.line;
  for (const { time } of ticks()) pen.fillRect(Math.round(placeOf(time, width)), 0, 1, height);
  return { pen, width, height };
}

const placeOf = (time, width) => ((time - view.from) / (view.to - view.from)) * width;

/** How many spans are in flight in each bin of the view, on the average; linear in the spans. */
function levels(spans, bins) {
  const parts = new Float64Array(bins);
  const whole = new Int32Array(bins + 1);
  const scale = bins / (view.to - view.from);
  for (const span of spans) {
    if (!seen(span)) continue;
    const left = Math.max((span.start - view.from) * scale, 0);
    const right = Math.min((span.end - view.from) * scale, bins);
    const [first, last] = [Math.min(Math.floor(left), bins - 1), Math.min(Math.floor(right), bins - 1)];
    if (first === last) {
      parts[first] += Math.max(right - left, 1e-9);
    } else {
      parts[first] += first + 1 - left;
      parts[last] += right - last;
      whole[first + 1]++;
      whole[last]--;
    }
  }
  for (let bin = 0, sum = 0; bin < bins; bin++) parts[bin] += sum += whole[bin];
  return parts;
}

function paintLane(canvas, lane, brush) {
  const { pen, width, height } = cleared(canvas, brush);
  const room = height - 13;
  pen.fillStyle = brush.steps[lane.step];
  levels(lane.work, Math.max(Math.ceil(width), 1)).forEach((level, bin) => {
    const tall = Math.max((level / lane.peak) * room, level && 1);
    pen.fillRect(bin, height - 2 - tall, 1, tall);
  });
  pen.lineWidth = 1.8;
  for (const call of lane.marks) {
    if (call.attempt) triangle(pen, placeOf(call.start, width), brush.ink);
  }
  for (const call of lane.marks) {
    if (call.failed) cross(pen, placeOf(call.end, width), brush.failure);
  }
}

function cross(pen, x, ink) {
  pen.strokeStyle = ink;
  pen.beginPath();
  pen.moveTo(x - 3, 3); pen.lineTo(x + 3, 9);
  pen.moveTo(x + 3, 3); pen.lineTo(x - 3, 9);
  pen.stroke();
}

function triangle(pen, x, ink) {
  pen.fillStyle = ink;
  pen.beginPath();
  pen.moveTo(x, 3); pen.lineTo(x + 5, 6); pen.lineTo(x, 9);
  pen.fill();
}

function paintRow(canvas, line, brush) {
  const { pen, width, height } = cleared(canvas, brush);
  if (!line.row) return paintGroup(pen, line.rows, width, height, brush);
  // Waits first: the shortest work is seen.
  for (const waits of [true, false]) {
    for (const span of line.row.spans) {
      if ((span.step === WAITING) !== waits || !seen(span)) continue;
      const left = Math.max(placeOf(span.start, width), -2);
      const right = Math.min(placeOf(span.end, width), width + 2);
      pen.fillStyle = waits ? brush.hatched : brush.steps[span.step];
      pen.fillRect(left, 4, Math.max(right - left, waits ? 0 : 1.5), height - 8);
    }
  }
}

/** In each bin, what most of the outputs did, the stronger the more of them. */
function paintGroup(pen, some, width, height, brush) {
  const bins = Math.max(Math.ceil(width / 2), 1);
  const best = new Float64Array(bins);
  const state = new Int32Array(bins);
  for (const [step, spans] of byState(some)) {
    levels(spans, bins).forEach((level, bin) => {
      if (level > best[bin]) [best[bin], state[bin]] = [level, step];
    });
  }
  for (let bin = 0; bin < bins; bin++) {
    if (!best[bin]) continue;
    pen.globalAlpha = 0.7 + 0.3 * Math.min(best[bin] / some.length, 1);
    pen.fillStyle = state[bin] === WAITING ? brush.hatched : brush.steps[state[bin]];
    pen.fillRect(bin * 2, 3, 2, height - 6);
  }
  pen.globalAlpha = 1;
}

function byState(some) {
  const found = new Map();
  for (const row of some) {
    for (const span of row.spans) {
      if (!found.has(span.step)) found.set(span.step, []);
      found.get(span.step).push(span);
    }
  }
  return found;
}

/** Round times in the view, 1, 2 or 5 times a power of ten apart. */
function ticks() {
  const span = view.to - view.from;
  const power = 10 ** Math.floor(Math.log10(span / 6));
  const gap = [1, 2, 5, 10].map(times => times * power).find(wide => span / wide <= 8);
  const found = [];
  for (let index = Math.ceil(view.from / gap - 1e-9); index * gap <= view.to + gap * 1e-9; index++) {
    found.push({ time: index * gap, text: seconds(index * gap, gap) });
  }
  return found;
}

/* ---- Plots: lists of lines, of which those in sight have elements --------------------------- */

class Plot {
  constructor(id, height, most, dress, paint, tell) {
    Object.assign(this, { box: $(id), id, height, most, dress, paint, tell });
    this.space = element("div", { className: "space" });
    this.box.append(this.space);
    this.pool = [];
    this.lines = [];
    this.current = -1;
    this.stop = -1;
    this.box.addEventListener("scroll", () => this.draw());
    this.box.addEventListener("keydown", event => this.key(event));
    this.box.addEventListener("blur", () => { this.current = this.stop = -1; hideTip(); this.draw(); });
  }

  set(lines) {
    this.lines = lines;
    this.current = Math.min(this.current, lines.length - 1);
    const high = lines.length * this.height;
    this.space.style.height = `${high}px`;
    this.box.style.height = `${Math.min(high, this.most) + 2}px`;
    this.draw();
  }

  draw() {
    const first = Math.floor(this.box.scrollTop / this.height);
    const count = Math.min(Math.ceil(this.most / this.height) + 1, this.lines.length - first);
    while (this.pool.length < count) this.pool.push(this.made());
    const brush = brushes();
    this.pool.forEach((made, place) => {
      const index = first + place;
      made.hidden = place >= count;
      made.style.display = made.hidden ? "none" : "";
      if (made.hidden) return;
      const line = this.lines[index];
      made.style.top = `${index * this.height}px`;
      made.id = `${this.id}-${index}`;
      made.index = index;
      made.setAttribute("aria-selected", String(index === this.current));
      made.setAttribute("aria-posinset", String(index + 1));
      made.setAttribute("aria-setsize", String(this.lines.length));
      made.className = index === this.current ? "line current" : "line";
      made.firstChild.replaceChildren(...this.dress(line, made));
      this.paint(made.lastChild, line, brush);
    });
  }

  made() {
    const made = element("div", {}, element("div", { className: "label" }), element("canvas"));
    made.setAttribute("role", "option");
    made.style.height = `${this.height}px`;
    made.firstChild.addEventListener("click", () => toggle(this.lines[made.index]));
    this.space.append(made);
    return made;
  }

  key(event) {
    const line = this.lines[this.current];
    const way = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e9, End: 1e9 }[event.key];
    if (way) {
      this.current = Math.min(Math.max(this.current + way, 0), this.lines.length - 1);
      this.stop = -1;
    } else if ((event.key === "ArrowLeft" || event.key === "ArrowRight") && !event.shiftKey && line) {
      const stops = this.stops(line);
      this.stop = Math.min(Math.max(this.stop + (event.key === "ArrowRight" ? 1 : -1), 0), stops.length - 1);
    } else if (event.key === "Enter" && line) {
      toggle(line);
    } else if (event.key === "Escape") {
      return hideTip();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    this.focusLine();
  }

  /** What the arrow keys go through on a line. */
  stops(line) {
    return (line.row ? line.row.spans : line.marks || []).filter(seen);
  }

  focusLine() {
    const top = this.current * this.height;
    const { scrollTop, clientHeight } = this.box;
    if (top < scrollTop) this.box.scrollTop = top;
    if (top + this.height > scrollTop + clientHeight) this.box.scrollTop = top + this.height - clientHeight;
    this.draw();
    const made = $(`${this.id}-${this.current}`);
    if (!made) return;
    this.box.setAttribute("aria-activedescendant", made.id);
    const line = this.lines[this.current];
    const stop = this.stops(line)[this.stop];
    const time = stop ? (Math.max(stop.start, view.from) + Math.min(stop.end, view.to)) / 2 : view.from;
    const canvas = made.lastChild.getBoundingClientRect();
    showTip(this.tell(line, time, stop, 0), canvas.left + placeOf(time, canvas.width), canvas.bottom);
  }
}

function toggle(line) {
  if (!line.key) return;
  if (!view.opened.delete(line.key)) view.opened.add(line.key);
  update();
}

const name = text => element("span", { className: "name", textContent: text, title: text });
const count = text => element("span", { className: "count", textContent: text });

function dressLane(lane, made) {
  const { length } = lane.calls;
  const failed = lane.failed.length ? `, ${number(lane.failed.length)} failed` : "";
  const said = `${counted(length, "call")}${failed}, up to ${number(lane.peak)} at once`;
  made.setAttribute("aria-label", `${steps[lane.step]}: ${said}`);
  return [swatch(lane.step), name(steps[lane.step]), count(`peak ${number(lane.peak)}`)];
}

function dressRow(line, made) {
  if (line.row) {
    const text = rowName(line.row);
    made.removeAttribute("aria-expanded");
    made.setAttribute("aria-label", `output ${text}`);
    return [element("span", { className: "sign" }), name(line.inner ? `  ${text}` : text)];
  }
  const text = groupName(line.rows);
  made.classList.add("group");
  made.setAttribute("aria-expanded", String(line.open));
  made.setAttribute("aria-label", `${counted(line.rows.length, "output")}, ${text}`);
  const sign = element("span", { className: "sign", textContent: line.open ? "▾" : "▸" });
  return [sign, name(text), count(`× ${number(line.rows.length)}`)];
}

/* ---- What the tooltip says ------------------------------------------------------------------ */

const said = (className, text) => element("div", { className, textContent: text });
const fine = () => (view.to - view.from) / 1000;
const times = span =>
  `${seconds(span.start, fine())} – ${seconds(span.end, fine())}, ${seconds(span.end - span.start)}`;
const kept = text => (text < 0 ? "(values were not kept: there were too many)" : texts[text]);

/** A lane: the call whose mark is near, and how many are in flight. `near` is in seconds. */
function tellLane(lane, time, stop, near) {
  const mark = stop || lane.marks.find(call =>
    (call.failed && Math.abs(call.end - time) <= near) || (call.attempt && Math.abs(call.start - time) <= near));
  const under = lane.calls.reduce((sum, call) => sum + (call.start <= time && time <= call.end), 0);
  const told = [said("head", steps[lane.step])];
  if (mark) {
    const attempt = mark.attempt ? `, attempt ${mark.attempt}` : "";
    told.push(said("said", `call ${times(mark)}${attempt}`));
    if (mark.failed) told.push(said("bad", `✗ ${kept(mark.text)}`));
  } else {
    told.push(said("said", `${counted(under, "call")} in flight at ${seconds(time, fine())}`));
  }
  return told;
}

function tellRow(line, time, stop, near) {
  if (!line.row) return tellGroup(line.rows, time);
  const { spans } = line.row;
  // Of spans that meet here, work is told of before a wait, and the shortest first.
  const found = spans.filter(span => span.start - near <= time && time <= span.end + near);
  found.sort((one, other) => (one.step < 0) - (other.step < 0) || one.end - one.start - other.end + other.start);
  const span = stop || found[0];
  const told = [said("head", `output ${rowName(line.row)}`)];
  if (!span) {
    told.push(said("said", `${counted(spans.filter(one => one.step >= 0).length, "step")}, ${times(line.row)}`));
  } else if (span.step === WAITING) {
    told.push(said("said", `waits for ${steps[span.next]}: ${times(span)}`));
  } else {
    told.push(element("div", {}, swatch(span.step), " ", element("bdi", { textContent: steps[span.step] })));
    told.push(said("said", times(span)));
    const before = spans.slice(0, spans.indexOf(span)).filter(one => one.step >= 0);
    if (before.length) told.push(said("said", "given"));
    for (const one of before.slice(-6)) told.push(said("text", `${steps[one.step]}: ${kept(one.text)}`));
    told.push(said("said", "added"), said("text", kept(span.text)));
  }
  return told;
}

function tellGroup(some, time) {
  const told = [said("head", `outputs ${groupName(some)} (${number(some.length)})`)];
  told.push(said("said", `at ${seconds(time, fine())}`));
  for (const [step, spans] of byState(some)) {
    const under = spans.reduce((sum, span) => sum + (span.start <= time && time < span.end), 0);
    const label = step === WAITING ? "waiting" : steps[step];
    if (under) told.push(element("div", {}, swatch(step), " ", element("bdi", { textContent: `${label}: ${number(under)}` })));
  }
  return told;
}

const tip = $("tip");

function showTip(told, x, y) {
  tip.replaceChildren(...told);
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, innerWidth - width - 8))}px`;
  tip.style.top = `${y + 16 + height > innerHeight ? Math.max(4, y - height - 12) : y + 16}px`;
}

const hideTip = () => { tip.hidden = true; };

/* ---- All together ---------------------------------------------------------------------------- */

const LEFT = 210;
const lanePlot = new Plot("lanes", 36, 400, dressLane, paintLane, tellLane);
const rowPlot = new Plot("rows", 22, 462, dressRow, paintRow, tellRow);

function update() {
  hideTip(); // what it told of has moved
  const range = $("range");
  range.textContent = `${seconds(view.from, fine())} – ${seconds(view.to, fine())}`;
  Object.assign(range.dataset, { from: view.from, to: view.to });
  const shown = shownRows();
  const groups = shown.length > MOST_SINGLE ? ", several in a line" : "";
  $("rows-note").textContent = shown.length === rows.length
    ? `${number(rows.length)}${groups}` : `${number(shown.length)} of ${number(rows.length)}${groups}`;
  lanePlot.set(shownLanes());
  rowPlot.set(rowLines(shown));
  const marks = ticks().map(({ time, text }) => {
    const mark = element("span", { textContent: text });
    mark.style.left = `${placeOf(time, 100)}%`;
    return mark;
  });
  $("axis").style.width = `${lanePlot.box.clientWidth - LEFT}px`;
  $("axis").replaceChildren(...marks);
}

function table() {
  const head = element("tr", {}, ...data.headings.map(text => element("th", { textContent: text, scope: "col" })));
  const body = shownLanes().map(lane => {
    const [step, ...cells] = data.cells[lanes.indexOf(lane)];
    const first = element("th", { scope: "row", title: step }, swatch(lane.step), " ", element("bdi", { textContent: step }));
    return element("tr", {}, first, ...cells.map(text => element("td", { textContent: text })));
  });
  document.querySelector("table").replaceChildren(
    element("thead", {}, head), element("tbody", {}, ...body));
}

function choices() {
  const all = element("option", { value: "-1", textContent: "All paths" });
  const some = paths.slice(0, MOST_SINGLE).map(([, outputs], path) =>
    element("option", { value: String(path), textContent: `${pathName(path)} (${number(outputs)})` }));
  $("path").replaceChildren(all, ...some);
  $("path").hidden = paths.length < 2;
}

/* ---- Pointer, keys and buttons ------------------------------------------------------------- */

function watch(plot) {
  const { box } = plot;
  const at = event => {
    const made = event.target.closest(".line");
    const area = made && made.lastChild.getBoundingClientRect();
    if (!made || event.clientX < area.left) return null;
    const part = (event.clientX - area.left) / area.width;
    const span = view.to - view.from;
    return { line: plot.lines[made.index], time: view.from + part * span, pixel: span / area.width };
  };
  let drag = null;
  box.addEventListener("wheel", event => {
    const here = at(event);
    if (!here) return; // over the labels the wheel scrolls
    event.preventDefault();
    hideTip();
    zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY * 0.002))), here.time);
  }, { passive: false });
  box.addEventListener("pointerdown", event => {
    const here = at(event);
    if (here && event.button === 0) drag = { x: event.clientX, y: event.clientY, ...view, top: box.scrollTop, pixel: here.pixel };
  });
  box.addEventListener("pointermove", event => {
    if (drag && event.buttons) {
      const aside = event.clientX - drag.x;
      const down = event.clientY - drag.y;
      if (Math.abs(aside) + Math.abs(down) < 4) return;
      box.classList.add("dragging");
      box.setPointerCapture(event.pointerId);
      hideTip();
      box.scrollTop = drag.top - down;
      show(drag.from - aside * drag.pixel, drag.to - aside * drag.pixel);
      return;
    }
    const here = at(event);
    if (here) showTip(plot.tell(here.line, here.time, null, 4 * here.pixel), event.clientX, event.clientY);
    else hideTip();
  });
  const over = () => { drag = null; box.classList.remove("dragging"); };
  for (const type of ["pointerup", "pointercancel"]) box.addEventListener(type, over);
  box.addEventListener("pointerleave", hideTip);
  box.addEventListener("dblclick", event => {
    const here = at(event);
    if (!here) return;
    const { row, rows: some } = here.line;
    const span = row ? row.spans.find(one => one.start <= here.time && here.time <= one.end)
      : some && { start: Math.min(...some.map(one => one.start)), end: Math.max(...some.map(one => one.end)) };
    if (!span) return show(0, end);
    const margin = (span.end - span.start) * 0.1 || SHORTEST;
    show(span.start - margin, span.end + margin);
  });
}

function paintTheme() {
  $("theme").textContent = isDark() ? "Light" : "Dark";
  table();
  update();
}

const commands = {
  back: () => move(-0.25), on: () => move(0.25),
  in: () => zoom(0.5), out: () => zoom(2), reset: () => show(0, end),
};
for (const [id, command] of Object.entries(commands)) $(id).addEventListener("click", command);
$("theme").addEventListener("click", () => {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  paintTheme();
});
$("path").addEventListener("change", event => { view.path = Number(event.target.value); update(); });
$("filter").addEventListener("input", event => {
  view.filter = event.target.value.trim().toLowerCase();
  table();
  update();
});
document.addEventListener("keydown", event => {
  if (event.target.matches("input, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = { "+": "in", "=": "in", "-": "out", 0: "reset" };
  const arrows = event.shiftKey ? { ArrowLeft: "back", ArrowRight: "on" } : {};
  const command = commands[keys[event.key] || arrows[event.key]];
  if (command) { event.preventDefault(); command(); }
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paintTheme);
addEventListener("resize", update);

$("said").textContent = data.said[0];
$("gain").textContent = data.said[1];
document.documentElement.style.setProperty("--left", `${LEFT}px`);
choices();
watch(lanePlot);
watch(rowPlot);
paintTheme();
