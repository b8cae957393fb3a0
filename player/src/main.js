/** The composition root: reads the configuration, builds each part once, connects them. */
import { readConfig, readOptions, themed } from './config.js';
import { HlsEngine } from './engine/hls.js';
import { askManifest } from './engine/manifest.js';
import { NativeEngine } from './engine/native.js';
import { Captions } from './state/captions.js';
import { exposeState } from './state/expose.js';
import { TICK_MS } from './state/live_edge.js';
import { Player } from './state/player.js';
import { offerAnnotations } from './ui/annotations.js';
import { startPlaying } from './ui/autoplay.js';
import { offerChapters } from './ui/chapters.js';
import './ui/elements.js';
import { watchPointer } from './ui/live_preview.js';
import { describeMedia } from './ui/media.js';
import { forwardKeys, interceptRequests } from './ui/requests.js';
import { keepMenuOpen } from './ui/steady_menu.js';
import { offerStoryboard } from './ui/storyboard.js';
import { View } from './ui/view.js';

/** The live badge changes this often: a number that flickers can't be read. */
const BADGE_MS = 500;

/**
 * @param {import('./config.js').Asset} asset
 * @param {import('./config.js').Options} options
 * @param {View} view
 */
function openPlayer(asset, options, view) {
  const { video } = view;
  const languages = [...(options.lang ? [options.lang] : []), ...navigator.languages];
  const captions = new Captions(() => localStorage, languages);
  const player = new Player(asset, options, means(asset, video, captions), {
    phase: (phase, failure) => view.showPhase(phase, asset.kind, failure),
    levels: (levels, chosen) => {
      renditions.replace(levels, chosen);
      view.showLevels(levels.length);
    },
    play: () => {
      void startPlaying(video).then((how) => view.offerUnmute(how === 'muted'));
    },
  });
  const renditions = describeMedia(
    video, asset.kind === 'live', () => player.engine?.liveSyncPosition ?? null,
  );
  renditions.onchoose = (index) => player.choose(index);
  view.open(asset, options);
  offerStoryboard(video, view.seekBar, asset.storyboard);
  offerChapters(video, view.chapters, view.chaptersButton, asset.chapters, languages);
  offerAnnotations(video, view.annotations, view.marks, asset.annotations);
  connect(video, view, player, captions);
  exposeState(window, video, player);
  void player.run();
}

/**
 * @param {import('./config.js').Asset} asset
 * @param {HTMLVideoElement} video
 * @param {Captions} captions
 * @returns {import('./state/player.js').Means}
 */
function means(asset, video, captions) {
  const Engine = HlsEngine.supported() ? HlsEngine : NativeEngine;
  return {
    video,
    createEngine: (source, options, events) => new Engine(video, source, options, events),
    ask: () => askManifest(asset.manifest, (...request) => fetch(...request)),
    pause: (seconds) => new Promise((resolve) => {
      const timer = setTimeout(done, seconds * 1000);
      window.addEventListener('online', done, { once: true });
      function done() {
        clearTimeout(timer);
        window.removeEventListener('online', done);
        resolve();
      }
    }),
    now: () => performance.now(),
    random: Math.random,
    captions: () => captions.choice,
  };
}

/**
 * @param {HTMLVideoElement} video
 * @param {View} view
 * @param {Player} player
 * @param {Captions} captions
 */
function connect(video, view, player, captions) {
  keepMenuOpen(video, view.settings);
  interceptRequests(document, video, player, captions);
  forwardKeys(document, view.controller);
  video.addEventListener('play', () => player.play());
  video.addEventListener('playing', () => player.moving());
  video.addEventListener('waiting', () => player.stalled());
  video.addEventListener('ended', () => player.ended());
  video.addEventListener('volumechange', () => {
    if (!video.muted) view.offerUnmute(false);
  });
  view.unmute.addEventListener('click', () => { video.muted = false; });
  view.retry.addEventListener('click', () => player.retry());
  watchPointer(view.seekBar, (ratio) => {
    const { seekable } = video;
    const known = player.engine?.live && seekable.length > 0;
    view.showPreviewBehind(known ? (seekable.end(0) - seekable.start(0)) * (1 - ratio) : null);
  });
  setInterval(() => player.tick(performance.now()), TICK_MS);
  setInterval(() => view.showLive(player.edge.status()), BADGE_MS);
}

const view = new View(document);
const config = readConfig(document.getElementById('sluice-config')?.textContent);
if ('problem' in config) view.showProblem(config.problem);
else openPlayer(config.asset, themed(readOptions(location.search, location.hash), config.asset.theme), view);
