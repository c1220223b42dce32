// How a recording becomes the input: one rate, one length, its samples or their power in mel bands.
const ZEROS = 6;  // Zero crossings of the low-pass filter to each side.
const ROLL_OFF = 0.99;  // Where it begins, as a share of the lower rate's half.

// `bands` says how much each frequency counts in each band, as the array of bands.npy.
export function prepare({rate, samples}, about, bands) {
  const mono = new Float64Array(about.length);
  mono.set(resampled(samples, rate, about.rate).subarray(0, about.length));
  const values = about.features === 'log-mel' ? logMel(mono, about, bands) : mono;
  return {dtype: about.dtype, shape: [1, ...about.shape], data: (about.dtype === 'float64' ? Float64Array : Float32Array).from(values)};
}

const divisor = (one, other) => (other ? divisor(other, one % other) : one);

// A recording at another rate: by a sinc low-pass filter under a Hann window, one for each output of a period.
function resampled(samples, rate, wanted) {
  if (rate === wanted) return samples;
  const common = divisor(rate, wanted);
  const [step, phases] = [rate / common, wanted / common];
  const cutoff = ROLL_OFF * Math.min(step, phases);
  const width = Math.ceil((ZEROS * step) / cutoff);
  const filters = Array.from({length: phases}, (_, phase) => Float64Array.from({length: 2 * width + step}, (__, tap) => {
    const time = Math.min(ZEROS, Math.max(-ZEROS, ((tap - width) / step - phase / phases) * cutoff));
    const sinc = time === 0 ? 1 : Math.sin(Math.PI * time) / (Math.PI * time);
    return sinc * Math.cos((time * Math.PI) / ZEROS / 2) ** 2 * (cutoff / step);
  }));
  return Float64Array.from({length: Math.ceil((samples.length * phases) / step)}, (_, place) => {
    const filter = filters[place % phases];
    const first = Math.floor(place / phases) * step - width;
    let sum = 0;
    for (let tap = Math.max(0, -first); tap < filter.length && first + tap < samples.length; tap += 1) sum += filter[tap] * samples[first + tap];
    return sum;
  });
}

// The logarithms of the power in each band, bands or frames first.
function logMel(mono, {window, hop, mels, log, frames_first: framesFirst}, bands) {
  const frames = Math.max(1, Math.floor(mono.length / hop));
  const half = Math.floor(window / 2);
  const found = new Float64Array(mels * frames);
  const [cosines, sines] = [Math.cos, Math.sin].map((wave) => Float64Array.from({length: window}, (_, place) => wave((2 * Math.PI * place) / window)));
  for (let frame = 0; frame < frames; frame += 1) {
    const own = Float64Array.from({length: window}, (_, place) => (0.5 - 0.5 * cosines[place]) * at(mono, frame * hop + place - half, half));
    const power = Float64Array.from({length: half + 1}, (_, frequency) => {
      let [real, imaginary] = [0, 0];
      for (let place = 0, angle = 0; place < window; place += 1, angle = (angle + frequency) % window) {
        real += own[place] * cosines[angle];
        imaginary += own[place] * sines[angle];
      }
      return real * real + imaginary * imaginary;
    });
    for (let band = 0; band < mels; band += 1) {
      const row = bands.data.subarray(band * power.length, (band + 1) * power.length);
      const sum = power.reduce((total, value, frequency) => total + value * row[frequency], 0);
      found[framesFirst ? frame * mels + band : band * frames + frame] = Math.max(sum, 1e-10);
    }
  }
  if (log === 'natural') return found.map(Math.log);
  const decades = found.map(Math.log10);
  const floor = decades.reduce((most, value) => Math.max(most, value), -Infinity) - 8;
  return decades.map((value) => (Math.max(value, floor) + 4) / 4);
}

// A sample; in front and behind, the recording is mirrored where it is long enough, else silent.
function at(mono, place, half) {
  if (place >= 0 && place < mono.length) return mono[place];
  if (mono.length <= half) return 0;
  return mono[place < 0 ? -place : 2 * (mono.length - 1) - place] ?? 0;
}
