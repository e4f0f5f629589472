const LamellaPage = (() => {
  "use strict";

  // What every page does: read the pixels of a stored image, follow the pointer, say percent.

  async function picture(address) {
    const image = new Image();
    image.src = address;
    await image.decode();
    return image;
  }

  async function plane(address) {
    const image = await picture(address);
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    const rgba = context.getImageData(0, 0, canvas.width, canvas.height).data;
    const values = new Uint8Array(canvas.width * canvas.height);
    for (let place = 0; place < values.length; place += 1) values[place] = rgba[4 * place];
    return { canvas, values, cols: canvas.width, rows: canvas.height };
  }

  // Calls move with each event until the pointer is let go.

  function follow(event, move) {
    const stop = () => {
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", stop);
      removeEventListener("pointercancel", stop);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", stop);
    addEventListener("pointercancel", stop);
    event.preventDefault();
  }

  function percentAcross(box, event) {
    const edge = box.getBoundingClientRect();
    return (100 * (event.clientX - edge.left)) / edge.width;
  }

  return { picture, plane, follow, percentAcross };
})();
