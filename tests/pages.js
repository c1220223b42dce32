// What is wrong with how a page looks, as lines of text: the caller gives it the width and the theme, and a window as high as the page.
(dark) => {
  const LEAST_TEXT_PX = 8.5;
  const LEAST_PICTURE_PX = 40;
  const LEAST_SHARE = 0.6; // of the page's width, that what stands beside each other fills
  const found = [];
  const words = text => `'${text.trim().replace(/\s+/g, ' ').slice(0, 60)}'`;
  const say = (what, text) => found.push(`${what}: ${words(text)}`);
  const width = document.documentElement.clientWidth;
  const wide = document.documentElement.scrollWidth;
  if (wide > width + 1) found.push(`the document is ${wide} wide in a window of ${width}`);

  const visible = element => element.checkVisibility({opacityProperty: true, visibilityProperty: true, contentVisibilityAuto: true});
  const clips = element => /hidden|clip/.test(getComputedStyle(element).overflowX);
  const scrolls = element => /auto|scroll/.test(getComputedStyle(element).overflowX);
  const cut = (a, b) => {
    const [left, top] = [Math.max(a.left, b.left), Math.max(a.top, b.top)];
    return {left, top, right: Math.min(a.right, b.right), bottom: Math.min(a.bottom, b.bottom)};
  };
  const area = box => Math.max(0, box.right - box.left) * Math.max(0, box.bottom - box.top);
  const inside = (box, frame, slack) => box.left >= frame.left - slack && box.right <= frame.right + slack;

  // Each piece of text with its boxes as they are seen: without what a scrolled region does not show yet.
  const pieces = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const element = node.parentElement;
    if (!node.data.trim() || /^(SCRIPT|STYLE|NOSCRIPT|OPTION)$/.test(element.tagName) || !visible(element)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const svg = element.closest('svg');
    const boxes = svg ? [element.getBoundingClientRect()] : [...range.getClientRects()];
    const all = boxes.filter(box => box.width > 0.5 && box.height > 0.5);
    if (!all.length) continue;
    let seen = all.map(({left, top, right, bottom}) => ({left, top, right, bottom}));
    let scrolled = false;
    for (let outer = element; outer && outer !== document.documentElement; outer = outer.parentElement) {
      if (outer.namespaceURI.endsWith('svg') && outer.tagName !== 'svg') continue;
      const frame = outer.getBoundingClientRect();
      if (outer !== document.body && clips(outer) && !svg && !scrolled && all.some(box => !inside(box, frame, 1.5))) say('cut text', node.data);
      if (!scrolls(outer)) continue;
      scrolled = true;
      seen = seen.map(box => cut(box, frame)).filter(area);
    }
    if (svg && all.some(box => { const f = svg.getBoundingClientRect(); return !inside(box, f, 1.5) || box.top < f.top - 1.5 || box.bottom > f.bottom + 1.5; })) say('cut by its drawing', node.data);
    if (!svg && !scrolled && all.some(box => box.left < -1 || box.right > width + 1)) say('beside the page', node.data);
    pieces.push({text: node.data, element, svg, boxes: seen});
  }

  // A letter's box has room above and below: what touches there does not overlap.
  const core = box => ({...box, top: box.top + 0.22 * (box.bottom - box.top), bottom: box.bottom - 0.22 * (box.bottom - box.top), left: box.left + 1, right: box.right - 1});
  const placed = pieces.flatMap(piece => piece.boxes.map(box => ({piece, box: core(box)}))).sort((a, b) => a.box.top - b.box.top);
  placed.forEach((one, index) => {
    for (let next = index + 1; next < placed.length && placed[next].box.top < one.box.bottom; next += 1) {
      if (placed[next].piece !== one.piece && area(cut(one.box, placed[next].box)) > 1) say(`overlaps ${words(placed[next].piece.text)}`, one.piece.text);
    }
  });

  // A cell that is given no room breaks its words into letters.
  for (const cell of document.querySelectorAll('td, th')) {
    const range = document.createRange();
    range.selectNodeContents(cell);
    const lines = new Set([...range.getClientRects()].map(box => Math.round(box.top))).size;
    if (visible(cell) && lines > 5 && cell.clientWidth < 60) say(`${lines} lines in ${cell.clientWidth} px`, cell.textContent);
  }

  const RAW = /\$|\\[a-z]+\{|\{\{|\}\}|\{%|\bundefined\b|\bNaN\b|\bNone\b|\bnull\b|\[object |&[a-z]+;|\b0\.0+e\+00\b|\d{4}-\d\d-\d\dT\d\d:/;
  for (const {text} of pieces) if (RAW.test(text)) say('raw text', text);

  // WCAG 2.2, 1.4.3: relative luminance and contrast.
  const canvas = Object.assign(document.createElement('canvas'), {width: 1, height: 1}).getContext('2d', {willReadFrequently: true});
  const known = new Map();
  const rgba = colour => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      known.set(colour, [...canvas.getImageData(0, 0, 1, 1).data].map((value, index) => (index === 3 ? value / 255 : value)));
    }
    return known.get(colour);
  };
  const over = ([r, g, b, a], under) => [r, g, b].map((value, index) => a * value + (1 - a) * under[index]);
  const light = rgb => {
    const [r, g, b] = rgb.map(value => value / 255).map(value => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const paper = element => {
    const layers = [];
    for (let outer = element; outer; outer = outer.parentElement) layers.unshift(rgba(getComputedStyle(outer).backgroundColor));
    return layers.reduce((under, layer) => over(layer, under), dark ? [18, 18, 18] : [255, 255, 255]);
  };
  const behind = ({element, svg, boxes: [box]}) => {
    let under = paper(svg);
    const shapes = document.elementsFromPoint((box.left + box.right) / 2, (box.top + box.bottom) / 2).filter(each => svg.contains(each) && /^(path|rect|use|circle)$/.test(each.tagName));
    for (const shape of shapes.reverse()) {
      const style = getComputedStyle(shape);
      if (style.fill === 'none' || shape === element) continue;
      const [r, g, b, a] = rgba(style.fill);
      under = over([r, g, b, a * style.fillOpacity * style.opacity], under);
    }
    return under;
  };
  for (const piece of pieces) {
    if (!piece.boxes.length) continue;
    const style = getComputedStyle(piece.element);
    const scale = piece.svg ? Math.abs(piece.svg.getScreenCTM().a) : 1;
    const size = parseFloat(style.fontSize) * scale;
    if (size < LEAST_TEXT_PX) say(`text of ${size.toFixed(1)} px`, piece.text);
    const back = piece.svg ? behind(piece) : paper(piece.element);
    const [r, g, b, a] = rgba(piece.svg ? style.fill : style.color);
    const [one, other] = [light(over([r, g, b, a], back)), light(back)].sort((x, y) => y - x);
    const least = size >= 24 || (size >= 18.6 && style.fontWeight >= 700) ? 3 : 4.5;
    const contrast = (one + 0.05) / (other + 0.05);
    if (contrast < least) say(`contrast ${contrast.toFixed(1)}`, piece.text);
  }

  for (const picture of document.images) {
    if (!visible(picture) || !picture.naturalWidth) continue;
    const {width: shown} = picture.getBoundingClientRect();
    const name = picture.alt || picture.src.slice(0, 40);
    if (!picture.alt) say('a picture without words', name);
    if (shown < LEAST_PICTURE_PX) say(`a picture ${Math.round(shown)} pixels wide`, name);
    if (getComputedStyle(picture).imageRendering === 'pixelated' && shown < picture.naturalWidth - 1) say('lines of a picture are left out', name);
    if (picture.naturalWidth > 300 && shown < 0.7 * picture.naturalWidth) say(`a picture of ${picture.naturalWidth} pixels drawn ${Math.round(shown)} wide`, name);
    if (!dark || shown < 200) continue;
    const whole = Object.assign(document.createElement('canvas'), {width: 64, height: 64}).getContext('2d');
    whole.drawImage(picture, 0, 0, 64, 64);
    const edge = whole.getImageData(0, 0, 64, 1).data;
    if (edge.filter(value => value > 230).length > 0.8 * edge.length) say('a white picture in the dark', name);
  }

  // Of each row of a table something is seen that is a number, without scrolling.
  for (const region of document.querySelectorAll('.scroll')) {
    const frame = region.getBoundingClientRect();
    for (const row of region.querySelectorAll('tbody tr')) {
      const cells = [...row.querySelectorAll('td')].filter(cell => /\d/.test(cell.textContent));
      const isSeen = cell => {
        const range = document.createRange();
        range.selectNodeContents(cell);
        return [...range.getClientRects()].some(box => box.width > 1 && inside(box, frame, 1));
      };
      if (cells.length && !cells.some(isSeen)) say('no number of the row is seen', row.textContent);
    }
  }

  const main = document.querySelector('main').getBoundingClientRect();
  const figures = [...document.querySelectorAll('figure')].filter(visible).map(figure => figure.getBoundingClientRect());
  for (const figure of figures) {
    if (figure.height < 150 || figure.width < 150) continue;
    const beside = figures.filter(other => other.top < figure.bottom - 5 && other.bottom > figure.top + 5);
    const filled = beside.reduce((sum, other) => sum + other.width, 0);
    if (filled < LEAST_SHARE * main.width) found.push(`beside a figure ${Math.round(100 - (100 * filled) / main.width)} % of the width is empty`);
  }
  return [...new Set(found)];
}
