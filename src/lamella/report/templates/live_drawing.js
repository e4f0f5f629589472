const LamellaDrawing = (() => {
  "use strict";

  // Beer-Lambert in the page: a = soft + grain (matte - max_i m_i) + sum_i b_i, I = 1 - exp(-a),
  // with each bone's cubic B-spline b_i and matte m_i sampled where the bone has gone. Two ways of
  // drawing give the same image: WebGL2, and plain arithmetic into a canvas.

  const BORDER = 3;
  const SHADES = 16384;
  const DENSEST = 8;
  const NEVER = 1e-9;
  const FAINT = 0.01;

  // Unpacking what lamella.report.packing stored.

  async function bytes(text) {
    const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  async function map({ data, scale, offset }, [rows, cols]) {
    const stored = await bytes(data);
    const high = rows * cols;
    const values = new Float32Array(high);
    let first = 0;
    for (let row = 0; row < rows; row += 1) {
      let code = 0;
      for (let col = 0; col < cols; col += 1) {
        const place = row * cols + col;
        const step = stored[place] | (stored[high + place] << 8);
        code = ((col === 0 ? first : code) + step) & 0xffff;
        if (col === 0) first = code;
        values[place] = offset + scale * code;
      }
    }
    return values;
  }

  async function mask(text, [rows, cols]) {
    const stored = await bytes(text);
    return Uint8Array.from({ length: rows * cols }, (_, k) => (stored[k >> 3] >> (7 - (k & 7))) & 1);
  }

  async function unpacked(joint) {
    const { size } = joint;
    const bones = await Promise.all(joint.bones.map(async (bone) => {
      const spline = await map(bone.spline, size);
      const matte = await map(bone.matte, size);
      const silhouette = await map(bone.silhouette, size);
      return { matte, patch: patch({ spline, matte, silhouette }, size, joint.margin) };
    }));
    const matte = bones[0].matte.map((value, place) => Math.max(value, bones[1].matte[place]));
    return {
      size, margin: joint.margin, bones, matte,
      soft: await map(joint.soft, size), grain: await map(joint.grain, size),
      air: joint.air ? await mask(joint.air, size) : null,
    };
  }

  // A bone beyond the image is its mirror image, never repeating the border itself.

  function mirrored(place, length) {
    const period = Math.max(1, 2 * (length - 1));
    const inside = ((place % period) + period) % period;
    return inside < length ? inside : period - inside;
  }

  // The box around all that is not empty, with a border of zeros for the spline's taps.

  function patch({ spline, matte, silhouette }, [rows, cols], margin) {
    const down = Int32Array.from({ length: rows + 2 * margin }, (_, k) => mirrored(k - margin, rows));
    const along = Int32Array.from({ length: cols + 2 * margin }, (_, k) => mirrored(k - margin, cols));
    const full = (place) => Math.abs(spline[place]) > NEVER || matte[place] > 0 || silhouette[place] > FAINT;
    const busyRow = Array.from({ length: rows }, () => false);
    const busyCol = Array.from({ length: cols }, () => false);
    for (let place = 0; place < rows * cols; place += 1) {
      if (full(place)) { busyRow[Math.floor(place / cols)] = true; busyCol[place % cols] = true; }
    }
    const [top, bottom] = ends(down, busyRow);
    const [left, right] = ends(along, busyCol);
    const result = {
      row0: top - margin - BORDER, col0: left - margin - BORDER,
      rows: bottom - top + 1 + 2 * BORDER, cols: right - left + 1 + 2 * BORDER,
    };
    result.spline = new Float32Array(result.rows * result.cols);
    result.matte = new Float32Array(result.rows * result.cols);
    result.silhouette = new Float32Array(result.rows * result.cols);
    for (let row = top; row <= bottom; row += 1) {
      for (let col = left; col <= right; col += 1) {
        const to = (row - top + BORDER) * result.cols + col - left + BORDER;
        const from = down[row] * cols + along[col];
        result.spline[to] = spline[from];
        result.matte[to] = matte[from];
        result.silhouette[to] = silhouette[from];
      }
    }
    return result;
  }

  function ends(places, busy) {
    const first = places.findIndex((place) => busy[place]);
    return first < 0 ? [0, 0] : [first, places.findLastIndex((place) => busy[place])];
  }

  // Columns of a row whose source lies in [low, high) of a line start + step col.

  function between(start, step, low, high, cols) {
    if (Math.abs(step) < 1e-12) return start >= low && start < high ? [0, cols - 1] : [0, -1];
    const [a, b] = [(low - start) / step, (high - start) / step].sort((p, q) => p - q);
    return [Math.max(0, Math.ceil(a + 1e-7)), Math.min(cols - 1, Math.floor(b - 1e-7))];
  }

  // Columns of a row where a bone's box is, and where its first one comes from.

  function onBox(part, place, row, width) {
    const r0 = place.rr * row + place.r0 - part.row0;
    const c0 = place.cr * row + place.c0 - part.col0;
    const [a, b] = between(r0, place.rc, 1, part.rows - 2, width);
    const [c, d] = between(c0, place.cc, 1, part.cols - 2, width);
    return { r0, c0, first: Math.max(a, c), last: Math.min(b, d) };
  }

  // A bone that does not turn has the same weights along a row: first down, then along.

  const sums = new Float64Array(8192);
  const edges = new Float64Array(8192);

  function slideRow(part, { y, x, first, last }, bone, cover) {
    if (last < first) return;
    const { cols, spline, matte } = part;
    const t = y - Math.floor(y);
    const [v0, v1, v2, v3] = weights(t);
    const start = Math.floor(y) * cols + Math.floor(x + first) - 1;
    const count = last - first + 4;
    for (let k = 0; k < count; k += 1) {
      const at = start + k;
      sums[k] = v0 * spline[at - cols] + v1 * spline[at] + v2 * spline[at + cols] + v3 * spline[at + 2 * cols];
      edges[k] = (1 - t) * matte[at] + t * matte[at + cols];
    }
    const s = x + first - Math.floor(x + first);
    const [u0, u1, u2, u3] = weights(s);
    for (let col = first, k = 0; col <= last; col += 1, k += 1) {
      const value = u0 * sums[k] + u1 * sums[k + 1] + u2 * sums[k + 2] + u3 * sums[k + 3];
      bone[col] = value;
      cover[col] = (1 - s) * edges[k + 1] + s * edges[k + 2];
    }
  }

  function weights(t) {
    const p = 1 - t;
    const first = (p * p * p) / 6;
    const last = (t * t * t) / 6;
    const second = 2 / 3 - 0.5 * t * t * (2 - t);
    return [first, second, 1 - first - second - last, last];
  }

  // One row of one bone: bone and cover hold its absorbance and matte, zero outside [first, last].

  function sampleRow(part, place, row, bone, cover) {
    const { cols, spline, matte } = part;
    const { r0, c0, first, last } = onBox(part, place, row, bone.length);
    bone.fill(0);
    cover.fill(0);
    if (place.rc === 0 && place.cr === 0) {
      slideRow(part, { y: r0, x: c0, first, last }, bone, cover);
      return;
    }
    for (let col = first; col <= last; col += 1) {
      const y = r0 + place.rc * col;
      const x = c0 + place.cc * col;
      const i = y | 0;
      const j = x | 0;
      const t = y - i;
      const s = x - j;
      const at = i * cols + j;
      const p = 1 - t;
      const q = 1 - s;
      const m = p * (q * matte[at] + s * matte[at + 1]) + t * (q * matte[at + cols] + s * matte[at + cols + 1]);
      const u0 = q * q * q / 6;
      const u3 = s * s * s / 6;
      const u1 = 2 / 3 - 0.5 * s * s * (2 - s);
      const u2 = 1 - u0 - u1 - u3;
      const v0 = p * p * p / 6;
      const v3 = t * t * t / 6;
      const v1 = 2 / 3 - 0.5 * t * t * (2 - t);
      const v2 = 1 - v0 - v1 - v3;
      const up = at - cols;
      const on = at + cols;
      const off = on + cols;
      const value = v0 * (u0 * spline[up - 1] + u1 * spline[up] + u2 * spline[up + 1] + u3 * spline[up + 2])
        + v1 * (u0 * spline[at - 1] + u1 * spline[at] + u2 * spline[at + 1] + u3 * spline[at + 2])
        + v2 * (u0 * spline[on - 1] + u1 * spline[on] + u2 * spline[on + 1] + u3 * spline[on + 2])
        + v3 * (u0 * spline[off - 1] + u1 * spline[off] + u2 * spline[off + 1] + u3 * spline[off + 2]);
      bone[col] = value;
      cover[col] = m;
    }
  }

  // Absorbance row after row, handed to a sink.

  function eachRow(maps, view, sink) {
    const [rows, cols] = maps.size;
    const [softly, firmly, otherly] = view.opacity;
    const { soft, grain, matte } = maps;
    const buffers = Array.from({ length: 4 }, () => new Float32Array(cols));
    const [upper, lower, overUpper, overLower] = buffers;
    const line = new Float32Array(cols);
    for (let row = 0; row < rows; row += 1) {
      sampleRow(maps.bones[0].patch, view.places[0], row, upper, overUpper);
      sampleRow(maps.bones[1].patch, view.places[1], row, lower, overLower);
      const start = row * cols;
      for (let col = 0; col < cols; col += 1) {
        const at = start + col;
        const a = firmly * overUpper[col];
        const b = otherly * overLower[col];
        const tissue = soft[at] + grain[at] * (matte[at] - (a > b ? a : b));
        const all = softly * (tissue > 0 ? tissue : 0) + firmly * upper[col] + otherly * lower[col];
        line[col] = all > 0 ? all : 0;
      }
      sink(line, start);
    }
  }

  // Intensity at full precision, for files.

  function intensities(maps, view) {
    const values = new Float32Array(maps.size[0] * maps.size[1]);
    eachRow(maps, view, (line, start) => {
      for (let col = 0; col < line.length; col += 1) values[start + col] = -Math.expm1(-line[col]);
    });
    return values;
  }

  // Where a bone has gone: its silhouette, bilinear, at least one half.

  function isInside(part, y, x) {
    const i = y | 0;
    const j = x | 0;
    const at = i * part.cols + j;
    const on = at + part.cols;
    const { silhouette } = part;
    const above = silhouette[at] + (x - j) * (silhouette[at + 1] - silhouette[at]);
    const below = silhouette[on] + (x - j) * (silhouette[on + 1] - silhouette[on]);
    return above + (y - i) * (below - above) >= 0.5;
  }

  function outline(maps, bone, place) {
    const [rows, cols] = maps.size;
    const { patch: part } = maps.bones[bone];
    const found = new Uint8Array(rows * cols);
    for (let row = 0; row < rows; row += 1) {
      const { r0, c0, first, last } = onBox(part, place, row, cols);
      for (let col = first; col <= last; col += 1) {
        if (isInside(part, r0 + place.rc * col, c0 + place.cc * col)) found[row * cols + col] = 1;
      }
    }
    return found;
  }

  // The part of a bone that would lie over air; most poses are settled by the pixels of air alone.

  function overAir(maps, bone, place) {
    if (!maps.air) return 0;
    const [rows, cols] = maps.size;
    const { patch: part } = maps.bones[bone];
    let lost = 0;
    for (let row = 0; row < rows; row += 1) {
      const { r0, c0, first, last } = onBox(part, place, row, cols);
      for (let col = first; col <= last; col += 1) {
        if (maps.air[row * cols + col] && isInside(part, r0 + place.rc * col, c0 + place.cc * col)) lost += 1;
      }
    }
    if (lost === 0) return 0;
    let all = 0;
    for (const here of outline(maps, bone, place)) all += here;
    return lost / all;
  }

  // Drawing in plain arithmetic.

  function onCanvas(canvas, maps) {
    const [rows, cols] = maps.size;
    canvas.width = cols;
    canvas.height = rows;
    const context = canvas.getContext("2d", { alpha: false, willReadFrequently: true });
    const image = context.createImageData(cols, rows);
    const words = new Uint32Array(image.data.buffer);
    const table = new Uint32Array(SHADES + 1);
    let known = "";

    function shade({ low, high }) {
      if (known === `${low} ${high}`) return;
      known = `${low} ${high}`;
      for (let k = 0; k <= SHADES; k += 1) {
        const value = -Math.expm1((-k * DENSEST) / SHADES);
        const code = Math.round(255 * Math.min(1, Math.max(0, (value - low) / (high - low))));
        table[k] = (0xff000000 | (code * 0x010101)) >>> 0;
      }
    }

    function draw(view) {
      shade(view);
      const step = SHADES / DENSEST;
      eachRow(maps, view, (line, start) => {
        for (let col = 0; col < line.length; col += 1) {
          const place = (line[col] * step + 0.5) | 0;
          words[start + col] = table[place > SHADES ? SHADES : place];
        }
      });
      context.putImageData(image, 0, 0);
    }

    return {
      name: "canvas", canvas, draw, wait: () => {}, close: () => {},
      codes: () => context.getImageData(0, 0, cols, rows).data.filter((_, k) => k % 4 === 0),
    };
  }

  // Drawing in WebGL2: four coefficients of a row lie in one texel, so 16 taps are four fetches.

  const VERTEX = `#version 300 es
    void main() {
      vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0;
      gl_Position = vec4(corner, 0.0, 1.0);
    }`;

  const FRAGMENT = `#version 300 es
    precision highp float;
    precision highp int;
    precision highp sampler2D;
    uniform sampler2D base, upper, lower, overUpper, overLower;
    uniform vec4 upperTurn, lowerTurn;
    uniform vec2 upperStart, lowerStart;
    uniform vec3 opacity;
    uniform vec2 window;
    uniform int rows;
    out vec4 colour;

    vec4 weights(float t) {
      float p = 1.0 - t;
      float first = p * p * p / 6.0;
      float last = t * t * t / 6.0;
      float second = 2.0 / 3.0 - 0.5 * t * t * (2.0 - t);
      return vec4(first, second, 1.0 - first - second - last, last);
    }

    vec2 sampled(sampler2D spline, sampler2D matte, vec4 turn, vec2 start, vec2 pixel) {
      vec2 at = vec2(dot(turn.xy, pixel), dot(turn.zw, pixel)) + start;
      ivec2 size = textureSize(spline, 0).yx;
      ivec2 cell = ivec2(floor(at));
      if (any(lessThan(cell, ivec2(1))) || any(greaterThanEqual(cell, size - 2))) return vec2(0.0);
      vec2 part = at - vec2(cell);
      vec4 across = weights(part.y);
      vec4 down = weights(part.x);
      ivec2 texel = cell.yx;
      vec4 lines = vec4(
        dot(across, texelFetch(spline, texel - ivec2(0, 1), 0)),
        dot(across, texelFetch(spline, texel, 0)),
        dot(across, texelFetch(spline, texel + ivec2(0, 1), 0)),
        dot(across, texelFetch(spline, texel + ivec2(0, 2), 0)));
      vec4 corners = texelFetch(matte, texel, 0);
      vec2 sides = mix(corners.xz, corners.yw, part.y);
      return vec2(dot(down, lines), mix(sides.x, sides.y, part.x));
    }

    void main() {
      ivec2 here = ivec2(int(gl_FragCoord.x), rows - 1 - int(gl_FragCoord.y));
      vec2 pixel = vec2(here.yx);
      vec4 tissue = texelFetch(base, here, 0);
      vec2 above = sampled(upper, overUpper, upperTurn, upperStart, pixel);
      vec2 below = sampled(lower, overLower, lowerTurn, lowerStart, pixel);
      float cover = max(opacity.y * above.y, opacity.z * below.y);
      float soft = max(tissue.x + tissue.y * (tissue.z - cover), 0.0);
      float absorbance = max(opacity.x * soft + opacity.y * above.x + opacity.z * below.x, 0.0);
      float value = (1.0 - exp(-absorbance) - window.x) / (window.y - window.x);
      colour = vec4(vec3(clamp(value, 0.0, 1.0)), 1.0);
    }`;

  function program(gl) {
    const made = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, VERTEX], [gl.FRAGMENT_SHADER, FRAGMENT]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(made, shader);
    }
    gl.linkProgram(made);
    return gl.getProgramParameter(made, gl.LINK_STATUS) ? made : null;
  }

  function texture(gl, unit, [cols, rows], values) {
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(gl.TEXTURE_2D, gl.createTexture());
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA32F, cols, rows, 0, gl.RGBA, gl.FLOAT, values);
    for (const name of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, name, gl.NEAREST);
    for (const name of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, name, gl.CLAMP_TO_EDGE);
  }

  function quads(values, steps) {
    const packed = new Float32Array(4 * values.length);
    for (let place = 0; place < values.length; place += 1) {
      for (let k = 0; k < 4; k += 1) packed[4 * place + k] = values[place + steps[k]] || 0;
    }
    return packed;
  }

  function upload(gl, maps) {
    const [rows, cols] = maps.size;
    const base = new Float32Array(4 * rows * cols);
    for (let place = 0; place < rows * cols; place += 1) {
      base[4 * place] = maps.soft[place];
      base[4 * place + 1] = maps.grain[place];
      base[4 * place + 2] = maps.matte[place];
    }
    texture(gl, 0, [cols, rows], base);
    maps.bones.forEach(({ patch: part }, k) => {
      const size = [part.cols, part.rows];
      texture(gl, 1 + k, size, quads(part.spline, [-1, 0, 1, 2]));
      const corners = [0, 1, part.cols, part.cols + 1];
      texture(gl, 3 + k, size, quads(part.matte, corners));
    });
  }

  function onWebGl(canvas, maps) {
    const [rows, cols] = maps.size;
    canvas.width = cols;
    canvas.height = rows;
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, depth: false });
    const shaders = gl && program(gl);
    if (!shaders) return null;
    gl.useProgram(shaders);
    const place = (name) => gl.getUniformLocation(shaders, name);
    ["base", "upper", "lower", "overUpper", "overLower"].forEach((name, k) => gl.uniform1i(place(name), k));
    gl.uniform1i(place("rows"), rows);
    upload(gl, maps);
    const bones = ["upper", "lower"].map((name) => [place(`${name}Turn`), place(`${name}Start`)]);
    const others = [place("opacity"), place("window")];
    gl.viewport(0, 0, cols, rows);
    if (gl.getError() !== gl.NO_ERROR) return null;

    function draw(view) {
      view.places.forEach((at, k) => {
        const { patch: part } = maps.bones[k];
        gl.uniform4f(bones[k][0], at.rr, at.rc, at.cr, at.cc);
        gl.uniform2f(bones[k][1], at.r0 - part.row0, at.c0 - part.col0);
      });
      gl.uniform3f(others[0], ...view.opacity);
      gl.uniform2f(others[1], view.low, view.high);
      gl.drawArrays(gl.TRIANGLES, 0, 3);
    }

    function codes() {
      const copy = new OffscreenCanvas(cols, rows).getContext("2d", { willReadFrequently: true });
      copy.drawImage(canvas, 0, 0);
      return copy.getImageData(0, 0, cols, rows).data.filter((_, k) => k % 4 === 0);
    }

    const close = () => {
      const ending = gl.getExtension("WEBGL_lose_context");
      if (ending) ending.loseContext();
    };
    return { name: "webgl2", canvas, draw, codes, wait: () => gl.finish(), close };
  }

  // What a frame costs when shown again and again: from frame to frame, and until it is drawn.

  const nextFrame = () => new Promise((then) => { requestAnimationFrame(then); });

  async function frameCost(way, view, { frames, milliseconds }) {
    way.draw(view);
    await nextFrame();
    const began = await nextFrame();
    let [busy, now, shown] = [0, began, 0];
    while (shown < frames && now - began < milliseconds) {
      const start = performance.now();
      way.draw(view);
      way.wait();
      busy += performance.now() - start;
      now = await nextFrame();
      shown += 1;
    }
    return (now - began + busy) / shown;
  }

  return { unpacked, onCanvas, onWebGl, frameCost, intensities, outline, overAir };
})();
