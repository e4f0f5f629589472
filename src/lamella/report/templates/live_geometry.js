const LamellaGeometry = (() => {
  "use strict";

  // The pose, the contours and the width between them, as in lamella.tasks.synthesis and
  // lamella.tasks.joint_width. Points are (row, col), pixels of the source.

  const radians = (degrees) => (degrees * Math.PI) / 180;
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1];

  function motions(joint, pose) {
    const { origin, axis } = joint.frame;
    const across = [axis[1], -axis[0]];
    const half = axis.map((part, k) => 0.5 * (pose.along_px * part + pose.across_px * across[k]));
    return joint.bones.map((bone, place) => {
      const sign = place === 0 ? 1 : -1;
      return {
        down_px: sign * half[0], right_px: sign * half[1],
        rotation_deg: 0.5 * sign * pose.rotation_deg, centre_px: origin,
      };
    });
  }

  function turn(motion, [row, col]) {
    const cosine = Math.cos(radians(motion.rotation_deg));
    const sine = Math.sin(radians(motion.rotation_deg));
    return [cosine * row - sine * col, sine * row + cosine * col];
  }

  function moved(motion, point) {
    const [row, col] = motion.centre_px;
    const turned = turn(motion, [point[0] - row, point[1] - col]);
    return [turned[0] + row + motion.down_px, turned[1] + col + motion.right_px];
  }

  // Where each page pixel comes from: source place = matrix (row, col) + offset, page pixels.

  function inverse(joint, motion) {
    const rows = joint.source[0] / joint.size[0];
    const cols = joint.source[1] / joint.size[1];
    const cosine = Math.cos(radians(motion.rotation_deg));
    const sine = Math.sin(radians(motion.rotation_deg));
    const [top, left] = moved(motion, [0, 0]);
    const offset = [-(cosine * top + sine * left), sine * top - cosine * left];
    const first = [0.5 * rows - 0.5, 0.5 * cols - 0.5];
    const start = [
      cosine * first[0] + sine * first[1] + offset[0],
      -sine * first[0] + cosine * first[1] + offset[1],
    ];
    return {
      rr: cosine, rc: (sine * cols) / rows, r0: (start[0] + 0.5) / rows - 0.5,
      cr: (-sine * rows) / cols, cc: cosine, c0: (start[1] + 0.5) / cols - 0.5,
    };
  }

  // The frame: the upper bone's direction, from midway between the middles of the arcs.

  function frameOf(joint, moving) {
    const axis = turn(moving[0], joint.bones[0].direction);
    const middles = joint.bones.map(({ arc }, k) => moved(moving[k], arc[Math.floor(arc.length / 2)]));
    const origin = [0, 1].map((k) => 0.5 * (middles[0][k] + middles[1][k]));
    return { origin, axis, across: [axis[1], -axis[0]] };
  }

  // Moved points as (across, along) of a frame, in two arrays sorted from left to right.

  function coordinates(frame, motion, points) {
    const across = new Float64Array(points.length);
    const along = new Float64Array(points.length);
    const zero = moved(motion, [0, 0]).map((part, k) => part - frame.origin[k]);
    const [down, right] = [turn(motion, [1, 0]), turn(motion, [0, 1])];
    const line = (unit) => [dot(down, unit), dot(right, unit), dot(zero, unit)];
    const [a0, a1, a2] = line(frame.across);
    const [b0, b1, b2] = line(frame.axis);
    let sorted = true;
    for (let k = 0; k < points.length; k += 1) {
      const [row, col] = points[k];
      across[k] = a0 * row + a1 * col + a2;
      along[k] = b0 * row + b1 * col + b2;
      if (k && across[k] < across[k - 1]) sorted = false;
    }
    if (sorted) return { across, along };
    const order = Array.from(across.keys()).sort((p, q) => across[p] - across[q]);
    return { across: across.map((_, k) => across[order[k]]), along: along.map((_, k) => along[order[k]]) };
  }

  function point(frame, across, along) {
    return [0, 1].map((k) => frame.origin[k] + across * frame.across[k] + along * frame.axis[k]);
  }

  function interpolated(places, { across, along }) {
    const values = new Float64Array(places.length);
    const last = across.length - 1;
    let next = 1;
    for (let k = 0; k < places.length; k += 1) {
      const place = places[k];
      while (next < last && across[next] < place) next += 1;
      const part = (place - across[next - 1]) / (across[next] - across[next - 1]);
      values[k] = along[next - 1] + Math.min(1, Math.max(0, part)) * (along[next] - along[next - 1]);
    }
    return values;
  }

  function stretch(joint, frame, moving) {
    const contours = joint.bones.map((bone, k) => coordinates(frame, moving[k], bone.arc));
    const sides = joint.bones.map((bone, k) => coordinates(frame, moving[k], bone.extent).across);
    const first = Math.max(...contours.map(({ across }, k) => Math.max(sides[k][0], across[0])));
    const last = Math.min(...contours.map(({ across }, k) => Math.min(sides[k][1], across[across.length - 1])));
    return { contours, first, last };
  }

  // Mean by trapezia and least value of width[from..to].

  function summed(width, across, from, to) {
    let area = 0;
    let minimum = width[from];
    for (let k = from + 1; k <= to; k += 1) {
      area += 0.5 * (width[k] + width[k - 1]) * (across[k] - across[k - 1]);
      minimum = Math.min(minimum, width[k]);
    }
    return { area, minimum };
  }

  // The joint space in a pose, or null where the bones no longer face each other. The central
  // half are the places from..to.

  function space(joint, pose) {
    const moving = motions(joint, pose);
    const frame = frameOf(joint, moving);
    const { contours, first, last } = stretch(joint, frame, moving);
    if (!(last - first >= joint.rules.least_shared_px)) return null;
    const steps = Math.max(2, Math.round((last - first) / joint.rules.profile_step_px));
    const across = new Float64Array(steps + 1);
    for (let k = 0; k <= steps; k += 1) across[k] = first + ((last - first) * k) / steps;
    const [upper, lower] = contours.map((contour) => interpolated(across, contour));
    const width = upper.map((value, k) => value - lower[k]);
    const isCentral = (place) => Math.abs(place - 0.5 * (first + last)) <= 0.25 * (last - first) + 1e-9;
    const from = across.findIndex(isCentral);
    const to = across.findLastIndex(isCentral);
    const span = across[to] - across[from];
    const { area, minimum } = summed(width, across, from, to);
    return {
      frame, across, width, upper, lower, from, to, motions: moving, span_px: span,
      jsw_px: area / span, minimum_px: minimum, area_px2: area,
      contact_px: summed(width, across, 0, steps).minimum,
      jsw_sd_px: joint.sd.offset_px, minimum_sd_px: joint.sd.extreme_px,
      area_sd_px2: joint.sd.offset_px * span, contact_sd_px: joint.sd.extreme_px,
    };
  }

  // The pose with a joint space width, found on the contours; null where there is none.

  function posed(joint, wanted) {
    const pose = { along_px: 0, across_px: wanted.across_px, rotation_deg: wanted.rotation_deg };
    for (let step = 0; step < joint.rules.search_steps; step += 1) {
      const found = space(joint, pose);
      if (!found) return null;
      const missing = wanted.jsw_px - found.jsw_px;
      if (Math.abs(missing) < joint.rules.close_enough_px) break;
      pose.along_px += missing;
    }
    return pose;
  }

  // How far any corner of the image moves with either bone.

  function farthest(joint, moving) {
    const [bottom, right] = joint.source.map((side) => side - 1);
    const corners = [[0, 0], [0, right], [bottom, 0], [bottom, right]];
    return Math.max(...moving.flatMap((motion) => corners.flatMap((corner) => {
      const there = moved(motion, corner);
      return [Math.abs(there[0] - corner[0]), Math.abs(there[1] - corner[1])];
    })));
  }

  const contours = (joint, found) => joint.bones.map((bone, k) => bone.arc.map((at) => moved(found.motions[k], at)));

  function landmarks(joint, found) {
    const places = { origin: found.frame.origin };
    contours(joint, found).forEach((arc, k) => {
      const { name } = joint.bones[k];
      places[`${name}_left`] = arc[0];
      places[`${name}_middle`] = arc[Math.floor(arc.length / 2)];
      places[`${name}_right`] = arc[arc.length - 1];
    });
    return places;
  }

  return { moved, motions, inverse, space, posed, farthest, contours, landmarks, point };
})();
