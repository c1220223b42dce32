// Nothing is prepared: the network takes arrays.
export function prepare() {
  throw new Error('the network takes arrays in .npy files');
}
