const LamellaSpine = (() => {
  "use strict";

  // Volumes of the straight spine: 8-bit, (left, down, back), cut into slices of either kind.

  const data = JSON.parse(document.getElementById("spine-data").textContent);
  const [lefts, downs, backs] = data.size;
  const WINDOWS = { bone: [400, 1800], soft: [50, 400] };
  const SHARP = 8;
  const NONE = { background: 12, other: 62, target: 108 };

  async function codes(address) {
    if (!address) return null;
    return (await LamellaPage.plane(address)).values;
  }

  function added(before, change) {
    return before && change ? before.map((value, place) => value + change[place]) : null;
  }

  async function load() {
    const [before, change, ids, idsChange] = await Promise.all(
      [data.before, data.after, data.ids, data.ids_after].map(codes));
    return {
      before: { shades: before, ids },
      after: { shades: added(before, change), ids: added(ids, idsChange) || ids },
    };
  }

  // Places: indices of a volume from mm, and back.

  const index = (axis, mm) => (mm - data.corner[axis]) / data.spacing;
  const millimetres = (axis, at) => data.corner[axis] + data.spacing * at;
  const AXES = { sagittal: { through: 0, across: 2 }, coronal: { through: 2, across: 0 } };

  function frame(vertebra, kind) {
    const { through, across } = AXES[kind];
    const reach = vertebra.reach / data.spacing;
    const top = Math.round(index(1, vertebra.middle[1]) - reach);
    return { through, across, top, rows: Math.round(2 * reach) + 1, cols: data.size[across], slices: data.size[through] };
  }

  function cut(volume, kind, slice, box) {
    const values = new Uint8Array(box.cols * box.rows);
    const step = kind === "sagittal" ? 1 : backs;
    const start = kind === "sagittal" ? slice * backs : slice;
    for (let row = 0; row < box.rows; row += 1) {
      const down = box.top + row;
      if (down < 0 || down >= downs) continue;
      const base = down * lefts * backs + start;
      for (let col = 0; col < box.cols; col += 1) values[row * box.cols + col] = volume[base + step * col];
    }
    return values;
  }

  // Grey levels.

  function table(name) {
    const [level, width] = WINDOWS[name];
    return Uint8ClampedArray.from({ length: 256 }, (_, code) => (
      255 * ((data.hu.low + data.hu.step * code - level) / width + 0.5)));
  }
  const tables = Object.fromEntries(Object.keys(WINDOWS).map((name) => [name, table(name)]));

  function greys(side, kind, slice, box, target, window) {
    const ids = cut(side.ids, kind, slice, box);
    if (!side.shades) {
      return { ids, values: ids.map((id) => (id === target ? NONE.target : id ? NONE.other : NONE.background)) };
    }
    return { ids, values: cut(side.shades, kind, slice, box).map((code) => tables[window][code]) };
  }

  function paint(canvas, values, box) {
    const small = document.createElement("canvas");
    small.width = box.cols;
    small.height = box.rows;
    const image = small.getContext("2d").createImageData(box.cols, box.rows);
    values.forEach((value, place) => image.data.set([value, value, value, 255], 4 * place));
    small.getContext("2d").putImageData(image, 0, 0);
    canvas.width = SHARP * box.cols;
    canvas.height = SHARP * box.rows;
    const context = canvas.getContext("2d");
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, canvas.width, canvas.height);
    return context;
  }

  // Outlines: marching squares at one half of a mask smoothed over its neighbours.

  function smooth(ids, box, chosen) {
    const { cols, rows } = box;
    const mask = Float32Array.from(ids, (id) => (chosen(id) ? 1 : 0));
    const pass = (from, step, length) => from.map((value, place) => {
      const at = Math.floor(place / step) % length;
      const before = at > 0 ? from[place - step] : value;
      const after = at < length - 1 ? from[place + step] : value;
      return (before + 2 * value + after) / 4;
    });
    let soft = mask;
    for (let turn = 0; turn < 2; turn += 1) soft = pass(pass(soft, 1, cols), cols, rows);
    return soft;
  }

  function outline(ids, box, chosen) {
    const { cols, rows } = box;
    const soft = smooth(ids, box, chosen);
    const path = new Path2D();
    const between = (a, b) => (0.5 - a) / (b - a);
    for (let row = 0; row < rows - 1; row += 1) {
      for (let col = 0; col < cols - 1; col += 1) {
        const at = row * cols + col;
        const corners = [soft[at], soft[at + 1], soft[at + cols + 1], soft[at + cols]];
        const inside = corners.map((value) => value >= 0.5);
        if (inside.every(Boolean) || !inside.some(Boolean)) continue;
        const [a, b, c, d] = corners;
        const edges = [];
        if (inside[0] !== inside[1]) edges.push([col + between(a, b), row]);
        if (inside[1] !== inside[2]) edges.push([col + 1, row + between(b, c)]);
        if (inside[3] !== inside[2]) edges.push([col + between(d, c), row + 1]);
        if (inside[0] !== inside[3]) edges.push([col, row + between(a, d)]);
        for (let pair = 0; pair + 1 < edges.length; pair += 2) {
          path.moveTo(SHARP * (edges[pair][0] + 0.5), SHARP * (edges[pair][1] + 0.5));
          path.lineTo(SHARP * (edges[pair + 1][0] + 0.5), SHARP * (edges[pair + 1][1] + 0.5));
        }
      }
    }
    return path;
  }

  function stroke(context, path, colour, width) {
    context.lineCap = "round";
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke(path);
  }

  return { data, load, frame, index, millimetres, greys, paint, outline, stroke };
})();
