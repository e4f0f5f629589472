const LamellaFiles = (() => {
  "use strict";

  // Files written in the page: PNG with words inside, and a ZIP that stores without packing.

  const letters = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0) & 0xff);
  const table = Uint32Array.from({ length: 256 }, (_, start) => {
    let value = start;
    for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value >>> 0;
  });

  function checksum(data) {
    let value = 0xffffffff;
    for (let k = 0; k < data.length; k += 1) value = table[(value ^ data[k]) & 0xff] ^ (value >>> 8);
    return (value ^ 0xffffffff) >>> 0;
  }

  function together(parts) {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    let place = 0;
    for (const part of parts) { whole.set(part, place); place += part.length; }
    return whole;
  }

  function numbers(fields, little) {
    const view = new DataView(new ArrayBuffer(fields.reduce((sum, [, size]) => sum + size, 0)));
    let place = 0;
    for (const [value, size] of fields) {
      if (size === 4) view.setUint32(place, value, little);
      else if (size === 2) view.setUint16(place, value, little);
      else view.setUint8(place, value);
      place += size;
    }
    return new Uint8Array(view.buffer);
  }

  function chunk(name, data) {
    const body = together([letters(name), data]);
    return together([numbers([[data.length, 4]]), body, numbers([[checksum(body), 4]])]);
  }

  async function deflated(data) {
    const stream = new Blob([data]).stream().pipeThrough(new CompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // Grey values of 1 or 2 bytes, (row, col); words: keyword -> text, Latin-1.

  async function png(values, [rows, cols], words) {
    const bytes = values.BYTES_PER_ELEMENT;
    const lines = new Uint8Array(rows * (1 + cols * bytes));
    for (let row = 0; row < rows; row += 1) {
      let place = row * (1 + cols * bytes) + 1;
      for (let col = 0; col < cols; col += 1) {
        const value = values[row * cols + col];
        if (bytes === 2) { lines[place] = value >> 8; place += 1; }
        lines[place] = value & 0xff;
        place += 1;
      }
    }
    const header = numbers([[cols, 4], [rows, 4], [8 * bytes, 1], [0, 1], [0, 1], [0, 1], [0, 1]]);
    return together([
      Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10), chunk("IHDR", header),
      ...Object.entries(words).map(([word, text]) => chunk("tEXt", letters(`${word}\0${text}`))),
      chunk("IDAT", await deflated(lines)), chunk("IEND", new Uint8Array()),
    ]);
  }

  const DOS_DAY = (((2020 - 1980) << 9) | (1 << 5) | 1);

  function zip(entries) {
    const bodies = [];
    const listed = [];
    let offset = 0;
    for (const [name, data] of Object.entries(entries)) {
      const common = [[20, 2], [0, 2], [0, 2], [0, 2], [DOS_DAY, 2], [checksum(data), 4], [data.length, 4], [data.length, 4], [name.length, 2], [0, 2]];
      const head = together([letters("PK\x03\x04"), numbers(common, true), letters(name)]);
      bodies.push(head, data);
      listed.push(together([
        letters("PK\x01\x02"), numbers([[20, 2], ...common, [0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]], true), letters(name),
      ]));
      offset += head.length + data.length;
    }
    const list = together(listed);
    const end = numbers([[0, 2], [0, 2], [listed.length, 2], [listed.length, 2], [list.length, 4], [offset, 4], [0, 2]], true);
    return together([...bodies, list, letters("PK\x05\x06"), end]);
  }

  function save(name, data, kind) {
    const link = document.createElement("a");
    const address = URL.createObjectURL(new Blob([data], { type: kind }));
    link.href = address;
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10000);
  }

  return { png, zip, save };
})();
