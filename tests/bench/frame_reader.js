// Reads the number burnt into each picture (clips.py) off the page's video. Put into the page before its own scripts.
(() => {
  const CELLS = 16;
  const WIDTH = 160;
  const EVERY = 5; // pictures
  const seen = { frames: [], stalls: 0, pictures: 0 };
  window.benchSeen = seen;
  const canvas = document.createElement('canvas');
  canvas.width = WIDTH;
  canvas.height = 3;
  const context = canvas.getContext('2d', { willReadFrequently: true });

  function numberOf(video) {
    context.drawImage(video, 0, 0, video.videoWidth, video.videoHeight / 12, 0, 0, WIDTH, 3);
    const row = context.getImageData(0, 1, WIDTH, 1).data;
    const cell = WIDTH / CELLS;
    const bits = Array.from({ length: CELLS }, (_, i) => (row[(i * cell + cell / 2) * 4] > 127 ? 1 : 0));
    const ones = bits.slice(2).reduce((sum, bit) => sum + bit, 0);
    if (bits[0] !== 1 || bits[1] !== 0 || ones % 2 !== 0) return null;
    return bits.slice(2, 15).reduce((number, bit) => number * 2 + bit, 0);
  }

  function watch(video) {
    function onFrame(now) {
      if (seen.pictures % EVERY === 0) {
        const number = numberOf(video);
        if (number !== null) seen.frames.push([number, (performance.timeOrigin + now) / 1000]);
      }
      seen.pictures += 1;
      video.requestVideoFrameCallback(onFrame);
    }
    video.requestVideoFrameCallback(onFrame);
    video.addEventListener('waiting', () => { if (seen.pictures > 0) seen.stalls += 1; });
  }

  document.addEventListener('DOMContentLoaded', () => watch(document.querySelector('video')));
})();
