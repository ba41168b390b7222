// The file without a server: everything that it shows was decoded beforehand.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const state = { run: 0, map: "", picked: 0, start: 0, ends: [0, 1], name: 0, sampler: 0, heat: 0 };
let mark = () => {};

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

// Buttons of which one is pressed.
function choices(root, contents, chosen, choose) {
  root.replaceChildren(...contents.map((content, index) => {
    const button = element("button", content instanceof Node ? "picture" : "", content);
    button.type = "button";
    button.setAttribute("aria-pressed", String(index === chosen));
    if (content instanceof Node) button.setAttribute("aria-label", content.ariaLabel);
    button.addEventListener("click", () => {
      [...root.children].forEach((own) => own.setAttribute("aria-pressed", String(own === button)));
      choose(index);
    });
    return button;
  }));
}

function figure(picture, text) {
  return element("figure", "", picture, element("figcaption", "", text));
}

function slider(text, count, value, say, change) {
  const input = element("input");
  Object.assign(input, { type: "range", min: 0, max: count - 1, step: 1, value });
  const label = element("label", "", text);
  const output = element("output");
  input.setAttribute("aria-label", text);
  const moved = () => {
    output.textContent = say(Number(input.value));
    input.setAttribute("aria-valuetext", output.textContent);
    change(Number(input.value));
  };
  input.addEventListener("input", moved);
  return { line: element("div", "slider", label, input, output), moved };
}

const signed = (value) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(2)}`;
const about = (position) => {
  const name = data.classes[data.labels[position]];
  return name === undefined ? data.names[position] : `${data.names[position]}: ${name}`;
};
const closest = (values, value) => {
  const distances = values.map((own) => Math.abs(own - value));
  return distances.indexOf(Math.min(...distances));
};

function showRun(number) {
  state.run = number;
  const run = data.runs[number];
  byId("title").textContent = run.title;
  byId("facts").textContent = [run.facts, ...run.notes].join(". ").replace(/\.\./g, ".");
  const names = Object.keys(run.maps);
  if (!names.includes(state.map)) state.map = names[0];
  choices(byId("maps"), names, names.indexOf(state.map), (index) => showMapOf(names[index]));
  showMapOf(state.map);
  showPicked(state.picked);
  state.start = Math.min(state.start, run.starts.length - 1);
  choices(byId("starts"), run.starts.map((own) => tile(data.sheet, own, about(own))), state.start,
    showStart);
  showSamplers();
  showLines();
  showStart(state.start);
}

function showMapOf(name) {
  state.map = name;
  const places = data.runs[state.run].maps[name];
  mark = showMap(byId("map"), { ...data, places, picked: state.picked }, showPicked);
}

function showPicked(position) {
  state.picked = position;
  mark(position);
  const shown = [figure(tile(data.sheet, position, about(position)), about(position))];
  data.runs.forEach((run) => {
    const place = run.reconstructed.indexOf(position);
    const title = data.runs.length > 1 ? `decoded by ${run.title}` : "reconstruction";
    if (place >= 0) shown.push(figure(tile(run.reconstructions, place, title), title));
    else shown.push(figure("", `${title}: not in this file`));
  });
  byId("picked").replaceChildren(...shown);
  const near = data.runs[state.run].neighbours[position];
  choices(byId("neighbours"), near.map((own) => tile(data.sheet, own, about(own))), -1,
    (index) => showPicked(near[index]));
}

function showStart(start) {
  state.start = start;
  const { sliders } = data.runs[state.run];
  const { values } = sliders;
  const lines = sliders.axes.map((axis, number) => {
    const own = sliders.own[start][number];
    const base = (start * sliders.axes.length + number) * values.length;
    const picture = tile(sliders.images, base, axis);
    const { line, moved } = slider(`${axis}  ◆ ${signed(own)}`, values.length,
      closest(values, own), (place) => `${signed(values[place])} σ`,
      (place) => drawTile(picture, sliders.images, base + place));
    line.append(picture);
    moved();
    return line;
  });
  byId("sliders").replaceChildren(...lines);
  showPlane(start);
  showSums(start);
}

function showPlane(start) {
  const { plane } = data.runs[state.run];
  byId("plane").replaceChildren();
  if (!plane) return;
  const { values, images } = plane;
  const side = values.length;
  const picture = tile(images, 0, "decoded");
  const pad = element("canvas", "pad");
  pad.width = pad.height = 220;
  pad.tabIndex = 0;
  pad.setAttribute("role", "application");
  pad.setAttribute("aria-label", `${plane.axes.join(" and ")}: arrow keys move`);
  const said = element("figcaption");
  const [right, up] = data.runs[state.run].sliders.own[start];
  let column = closest(values, right), row = side - 1 - closest(values, up);
  const draw = () => {
    drawTile(picture, images, start * side * side + row * side + column);
    const pen = pad.getContext("2d"), step = 220 / side;
    pen.clearRect(0, 0, 220, 220);
    pen.fillStyle = "#c9ced6";
    for (let i = 0; i < side * side; i++) {
      pen.fillRect((i % side + 0.5) * step - 1, (Math.floor(i / side) + 0.5) * step - 1, 2, 2);
    }
    pen.fillStyle = "#1a5fd0";
    pen.beginPath();
    pen.arc((column + 0.5) * step, (row + 0.5) * step, 8, 0, 7);
    pen.fill();
    const heights = [signed(values[column]), signed(values[side - 1 - row])];
    said.textContent = plane.axes.map((axis, i) => `${axis}: ${heights[i]} σ`).join(", ");
  };
  const within = (place) => Math.max(0, Math.min(side - 1, place));
  const follow = (event) => {
    const box = pad.getBoundingClientRect();
    column = within(Math.floor(((event.clientX - box.left) / box.width) * side));
    row = within(Math.floor(((event.clientY - box.top) / box.height) * side));
    draw();
  };
  pad.addEventListener("pointerdown", (event) => {
    pad.setPointerCapture(event.pointerId);
    follow(event);
  });
  pad.addEventListener("pointermove", (event) => { if (event.buttons) follow(event); });
  pad.addEventListener("keydown", (event) => {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (!ways[event.key]) return;
    column = within(column + ways[event.key][0]);
    row = within(row + ways[event.key][1]);
    event.preventDefault();
    draw();
  });
  draw();
  const shown = element("figure", "", picture, said);
  byId("plane").append(element("h3", "", "Two at once"), element("div", "plane large", pad, shown));
}

function showLines() {
  const run = data.runs[state.run];
  const { lines, square } = run;
  byId("between").hidden = !lines;
  if (!lines) return;
  const most = run.starts.length - 1;
  state.ends = state.ends.map((own) => Math.min(own, most));
  const ends = ["from", "to"].map((word, end) => {
    const root = element("div", "row small");
    choices(root, run.starts.map((own) => tile(data.sheet, own, `${word} ${about(own)}`)),
      state.ends[end], (index) => { state.ends[end] = index; showLine(); });
    return element("div", "", element("div", "", word), root);
  });
  byId("ends").replaceChildren(...ends);
  showLine();
  byId("square").replaceChildren();
  if (square) {
    const { side, images } = square;
    const grid = element("div", "even");
    grid.style.gridTemplateColumns = `repeat(${side}, 1fr)`;
    for (let i = 0; i < side * side; i++) grid.append(tile(images, i, `image ${i + 1}`));
    byId("square").append(element("h3", "", "Between the first four"), grid);
  }
}

function showLine() {
  const { lines } = data.runs[state.run];
  const [first, last] = state.ends;
  const sorted = [Math.min(first, last), Math.max(first, last)];
  const pair = lines.pairs.findIndex(([a, b]) => a === sorted[0] && b === sorted[1]);
  if (pair < 0) {
    byId("line").textContent = "Choose two different pictures.";
    return;
  }
  const index = (step) =>
    pair * lines.steps + (first <= last ? step : lines.steps - 1 - step);
  const strip = element("div", "even");
  strip.style.gridTemplateColumns = `repeat(${lines.steps}, 1fr)`;
  for (let step = 0; step < lines.steps; step++) {
    strip.append(tile(lines.images, index(step), `step ${step + 1}`));
  }
  const picture = tile(lines.images, index(0), "between");
  const percent = (step) => `${Math.round((100 * step) / (lines.steps - 1))} %`;
  const { line, moved } = slider("on the way", lines.steps, Math.floor(lines.steps / 2), percent,
    (step) => drawTile(picture, lines.images, index(step)));
  line.append(picture);
  moved();
  byId("line").replaceChildren(strip, line);
}

function showSums(start) {
  const { sums } = data.runs[state.run];
  byId("sums").hidden = !sums;
  if (!sums) return;
  state.name = Math.min(state.name, sums.names.length - 1);
  const show = (name) => {
    state.name = name;
    const { strengths, images } = sums;
    const base = (start * sums.names.length + name) * strengths.length;
    const strip = strengths.map((strength, place) =>
      figure(tile(images, base + place, sums.names[name]), `× ${strength}`.replace("-", "−")));
    byId("sum").replaceChildren(element("div", "pictures middle", ...strip));
  };
  choices(byId("names"), sums.names.map((name) => `+ ${name}`), state.name, show);
  show(state.name);
}

function showSamplers() {
  const { samples } = data.runs[state.run];
  state.sampler = Math.min(state.sampler, samples.samplers.length - 1);
  state.heat = Math.min(state.heat, samples.temperatures.length - 1);
  const show = () => {
    const base = (state.sampler * samples.temperatures.length + state.heat) * samples.count;
    const all = Array.from({ length: samples.count }, (_, i) =>
      tile(samples.images, base + i, `sample ${i + 1}`));
    byId("samples").replaceChildren(...all);
  };
  choices(byId("samplers"), samples.samplers, state.sampler, (index) => {
    state.sampler = index;
    show();
  });
  const heats = samples.temperatures.map((own) => `temperature ${own}`);
  choices(byId("temperatures"), heats, state.heat, (index) => { state.heat = index; show(); });
  show();
}

async function begin() {
  const parts = data.runs.flatMap((run) =>
    [run.reconstructions, ...["sliders", "plane", "lines", "square", "sums", "samples"]
      .map((name) => run[name]?.images)]);
  await Promise.all([data.sheet, ...parts].map(loaded));
  byId("source").textContent = [data.source, ...data.notes].join(". ").replace(/\.\./g, ".");
  if (data.runs.length > 1) {
    choices(byId("runs"), data.runs.map((run) => run.title), 0, showRun);
  }
  state.heat = data.runs[0].samples.temperatures.length - 1;
  showRun(0);
}

begin();
