// A classifier of colour images: it answers to a picture's file and to the camera.
import {answers} from './answers.js';

const SHOWN = 448; // pixels of the side of what the visitor sees

export function photo(view, about, model) {
  view.append(document.querySelector('#photo').content.cloneNode(true));
  const part = name => view.querySelector(`#${name}`);
  const answer = answers(view, about, model);
  const {height, width, mean, std, layout} = about.image;
  Object.assign(part('seen'), {width, height});
  Object.assign(part('shown'), {width: Math.round((SHOWN * width) / height), height: SHOWN});
  part('paper').style.aspectRatio = `${width} / ${height}`;
  let [camera, turn] = [null, 0];

  // The largest part in the middle that has the shape of the network's images, drawn onto a canvas.
  function crop(source, size, canvas) {
    const scale = Math.min(size.width / width, size.height / height);
    const [wide, high] = [width * scale, height * scale];
    const context = canvas.getContext('2d', {willReadFrequently: true});
    Object.assign(context, {imageSmoothingEnabled: true, imageSmoothingQuality: 'high'});
    context.drawImage(source, (size.width - wide) / 2, (size.height - high) / 2, wide, high, 0, 0, canvas.width, canvas.height);
    return context;
  }

  async function look(source, size) {
    const own = turn;
    crop(source, size, part('shown'));
    const {data} = crop(source, size, part('seen')).getImageData(0, 0, width, height);
    const count = height * width;
    const values = new Float32Array(3 * count);
    for (let pixel = 0; pixel < count; pixel += 1) {
      for (let channel = 0; channel < 3; channel += 1) {
        const place = layout === 'NHWC' ? 3 * pixel + channel : channel * count + pixel;
        values[place] = (data[4 * pixel + channel] / 255 - mean[channel]) / std[channel];
      }
    }
    const {scores, milliseconds} = await answer.classify(values);
    if (own !== turn) return; // of what is no longer shown
    part('hint').classList.add('gone');
    answer.draw(scores, milliseconds);
  }

  function stop() {
    camera?.getTracks().forEach(track => track.stop());
    camera = null;
    part('camera').textContent = 'Camera';
  }

  async function watch() {
    if (!navigator.mediaDevices) throw new Error('this page reaches a camera only over https or from this machine itself');
    const stream = await navigator.mediaDevices.getUserMedia({video: {facingMode: 'environment'}}).catch(error => {
      throw new Error(`no camera: ${error.message}`);
    });
    camera = stream;
    part('camera').textContent = 'Stop';
    const video = Object.assign(document.createElement('video'), {srcObject: stream, muted: true, playsInline: true});
    await video.play();
    while (camera === stream) {
      await look(video, {width: video.videoWidth, height: video.videoHeight});
      await new Promise(requestAnimationFrame);
    }
  }

  function clear() {
    turn += 1;
    stop();
    for (const name of ['shown', 'seen']) part(name).getContext('2d').clearRect(0, 0, part(name).width, part(name).height);
    part('hint').classList.remove('gone');
    answer.blank('waiting for a picture');
  }

  async function opened(file) {
    const picture = await createImageBitmap(file).catch(() => {
      throw new Error(`expected a picture (JPEG, PNG, WebP), got ${file.name}`);
    });
    await look(picture, picture);
  }

  clear();
  return {
    clear,
    opened,
    bind(attempt) {
      part('camera').addEventListener('click', () => (camera ? stop() : attempt(watch)));
    },
  };
}
