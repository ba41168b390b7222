// The map of codes: points on a canvas, the picture of the one under the pointer beside it.
// It is part of the file and of the served page.

// Draw one image of a sheet on a canvas of its own.
function tile(sheet, index, label) {
  const canvas = document.createElement("canvas");
  canvas.width = sheet.width;
  canvas.height = sheet.height;
  canvas.className = "tile";
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", label || "image");
  drawTile(canvas, sheet, index);
  return canvas;
}

function drawTile(canvas, sheet, index) {
  const left = (index % sheet.columns) * sheet.width;
  const top = Math.floor(index / sheet.columns) * sheet.height;
  const { width, height } = sheet;
  canvas.getContext("2d").drawImage(sheet.image, left, top, width, height, 0, 0, width, height);
}

// Load the picture of a sheet, once.
async function loaded(sheet) {
  if (sheet && !sheet.image) {
    const image = new Image();
    // Not decode(): of a large picture it waits for a frame to be drawn, which may not come.
    await new Promise((done, failed) => {
      image.onload = done;
      image.onerror = failed;
      image.src = sheet.uri;
    });
    sheet.image = image;
  }
  return sheet;
}

// Show places, from 0 to 1, as a map within an element; `pick` is told the number of a picture.
// data: {places, labels, classes, names, trained, sheet, colors, picked}; those of `trained` that are
// false are drawn hollow.
function showMap(root, data, pick) {
  root.replaceChildren();
  root.classList.add("map");
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute(
    "aria-label", "Map of the codes. Arrow keys go to the next picture, Enter picks it."
  );
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  const spoken = document.createElement("div");
  spoken.className = "spoken";
  spoken.setAttribute("aria-live", "polite");
  root.append(canvas, tip, spoken);
  let size = 0, ratio = 1, near = -1, picked = data.picked ?? -1;
  const margin = 14;
  const height = () => Math.round(size * 0.75);
  const at = (index) => {
    const [x, y] = data.places[index];
    return [margin + x * (size - 2 * margin), margin + (1 - y) * (height() - 2 * margin)];
  };
  const color = (index) => {
    const label = data.labels[index];
    return label < 0 ? "#5a6472" : data.colors[label % data.colors.length];
  };

  function draw() {
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, size, height());
    const radius = data.places.length > 600 ? 3 : 4.5;
    pen.globalAlpha = 0.75;
    data.places.forEach((_, index) => dot(pen, index, radius));
    pen.globalAlpha = 1;
    if (picked >= 0) ring(pen, picked, "#111", 3);
    if (near >= 0) ring(pen, near, "#d00", 2);
  }

  function dot(pen, index, radius) {
    const [x, y] = at(index);
    pen.fillStyle = pen.strokeStyle = color(index);
    pen.lineWidth = 2;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 7);
    if (data.trained && !data.trained[index]) pen.stroke();
    else pen.fill();
  }

  function ring(pen, index, style, line) {
    const [x, y] = at(index);
    pen.strokeStyle = style;
    pen.lineWidth = line;
    pen.beginPath();
    pen.arc(x, y, 8, 0, 7);
    pen.stroke();
  }

  function resize() {
    const wide = root.clientWidth;
    if (!wide || (wide === size && ratio === window.devicePixelRatio)) return;
    size = wide;
    ratio = window.devicePixelRatio || 1;
    canvas.width = size * ratio;
    canvas.height = height() * ratio;
    canvas.style.height = `${height()}px`;
    draw();
  }

  function describe(index) {
    const name = data.classes[data.labels[index]];
    return name === undefined ? data.names[index] : `${data.names[index]}: ${name}`;
  }

  function hover(index) {
    near = index;
    tip.hidden = index < 0;
    if (index >= 0) {
      const text = document.createElement("div");
      text.textContent = describe(index);
      tip.replaceChildren(tile(data.sheet, index, describe(index)), text);
      const [x, y] = at(index);
      const left = x + 16 + tip.offsetWidth > size ? x - 16 - tip.offsetWidth : x + 16;
      tip.style.left = `${Math.max(0, left)}px`;
      tip.style.top = `${Math.max(0, Math.min(y - 20, height() - tip.offsetHeight))}px`;
    }
    draw();
  }

  function nearest(x, y, most) {
    let best = -1, distance = most * most;
    data.places.forEach((_, index) => {
      const [left, top] = at(index);
      const own = (left - x) ** 2 + (top - y) ** 2;
      if (own < distance) [best, distance] = [index, own];
    });
    return best;
  }

  // The next point in a direction: far ones and those to the side count less.
  function onwards(dx, dy) {
    const from = near >= 0 ? near : picked >= 0 ? picked : 0;
    const [x, y] = at(from);
    let best = from, cost = Infinity;
    data.places.forEach((_, index) => {
      const [left, top] = at(index);
      const along = (left - x) * dx + (top - y) * dy;
      const aside = Math.abs((left - x) * dy) + Math.abs((top - y) * dx);
      const own = along + 2 * aside;
      if (index !== from && along > 0.5 && aside <= 2 * along && own < cost) {
        [best, cost] = [index, own];
      }
    });
    return best;
  }

  function choose(index) {
    if (index < 0) return;
    picked = index;
    spoken.textContent = `picked ${describe(index)}`;
    draw();
    pick(index);
  }

  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  canvas.addEventListener("pointermove", (event) => hover(nearest(...place(event), 22)));
  canvas.addEventListener("pointerleave", () => hover(-1));
  canvas.addEventListener("click", (event) => {
    const index = nearest(...place(event), 30);
    hover(index);
    choose(index);
  });
  canvas.addEventListener("keydown", (event) => {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (ways[event.key]) {
      hover(onwards(...ways[event.key]));
      spoken.textContent = describe(near);
    } else if (event.key === "Enter" || event.key === " ") choose(near);
    else return;
    event.preventDefault();
  });
  canvas.addEventListener("blur", () => hover(-1));
  if (data.classes.length || data.trained) root.append(legend(data));
  // That of the map before, which would go on drawing it.
  root.resizing?.disconnect();
  root.resizing = new ResizeObserver(resize);
  root.resizing.observe(root);
  resize();
  return (index) => { picked = index; draw(); };
}

function legend(data) {
  const list = document.createElement("ul");
  list.className = "legend";
  data.classes.slice(0, 20).forEach((name, number) => {
    const item = document.createElement("li");
    const mark = document.createElement("span");
    mark.style.background = data.colors[number % data.colors.length];
    item.append(mark, document.createTextNode(name));
    list.append(item);
  });
  if (data.trained) {
    for (const [kind, text] of [["filled", "trained on"], ["hollow", "not trained on"]]) {
      const item = document.createElement("li");
      const mark = document.createElement("span");
      mark.className = kind;
      item.append(mark, document.createTextNode(text));
      list.append(item);
    }
  }
  return list;
}
