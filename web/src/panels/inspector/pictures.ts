/** Pictures and arrays from files, brought to the shape of a block. */

export interface ArrayFile {
  shape: number[]
  values: Float32Array
}

/** The array of a `.npy` file: versions 1 to 3, C order, whole and floating numbers of up to eight bytes, and booleans. */
export function readNpy(file: ArrayBuffer): ArrayFile {
  const bytes = new Uint8Array(file)
  if (String.fromCharCode(...bytes.subarray(0, 6)) !== '\x93NUMPY') throw new Error('is no .npy file')
  const view = new DataView(file)
  const isOld = bytes[6] === 1
  const length = isOld ? view.getUint16(8, true) : view.getUint32(8, true)
  const start = isOld ? 10 : 12
  const header = new TextDecoder().decode(bytes.subarray(start, start + length))
  const kind = /'descr':\s*'([<>|=])([fiub])(\d)'/.exec(header)
  const shapeText = /'shape':\s*\(([^)]*)\)/.exec(header)
  if (!kind || !shapeText) throw new Error('holds an array of a kind that this page cannot read')
  if (/'fortran_order':\s*True/.test(header)) throw new Error('holds an array in Fortran order; save it in C order')
  const shape = (shapeText[1]!.match(/\d+/g) ?? []).map(Number)
  const count = shape.reduce((product, size) => product * size, 1)
  const size = Number(kind[3])
  const offset = start + length
  if (offset + count * size > file.byteLength) throw new Error('ends before its array does')
  const read = reader(view, kind[2]!, size, kind[1] !== '>')
  return { shape, values: Float32Array.from({ length: count }, (_, n) => read(offset + n * size)) }
}

function reader(view: DataView, kind: string, size: number, isLittle: boolean): (at: number) => number {
  const name = `${kind}${size}`
  switch (name) {
    case 'f4':
      return (at) => view.getFloat32(at, isLittle)
    case 'f8':
      return (at) => view.getFloat64(at, isLittle)
    case 'i1':
      return (at) => view.getInt8(at)
    case 'u1':
    case 'b1':
      return (at) => view.getUint8(at)
    case 'i2':
      return (at) => view.getInt16(at, isLittle)
    case 'u2':
      return (at) => view.getUint16(at, isLittle)
    case 'i4':
      return (at) => view.getInt32(at, isLittle)
    case 'u4':
      return (at) => view.getUint32(at, isLittle)
    case 'i8':
      return (at) => Number(view.getBigInt64(at, isLittle))
    case 'u8':
      return (at) => Number(view.getBigUint64(at, isLittle))
    default:
      throw new Error(`holds numbers of the kind ${name}, which this page cannot read`)
  }
}

/** RGBA pixels as values of a block of shape `[C, H, W]` or `[H, W]`: grey for one channel, colours for three; 0 to 1, then scaled. */
export function fromPixels(pixels: ArrayLike<number>, shape: readonly number[], low: number, high: number): Float32Array {
  const channels = shape.length >= 3 ? shape.at(-3)! : 1
  const size = pixels.length / 4
  const values = new Float32Array(channels * size)
  const scaled = (level: number) => low + (level / 255) * (high - low)
  for (let at = 0; at < size; at += 1) {
    const [r, g, b] = [pixels[4 * at]!, pixels[4 * at + 1]!, pixels[4 * at + 2]!]
    if (channels === 3) {
      values[at] = scaled(r)
      values[size + at] = scaled(g)
      values[2 * size + at] = scaled(b)
    } else {
      const level = scaled(0.299 * r + 0.587 * g + 0.114 * b)
      for (let channel = 0; channel < channels; channel += 1) values[channel * size + at] = level
    }
  }
  return values
}

/** Values as nested lists of a shape, four digits each. */
export function nested(values: ArrayLike<number>, shape: readonly number[]): unknown {
  let at = 0
  const level = (depth: number): unknown => {
    if (depth === shape.length) return Number(values[at++]!.toPrecision(4))
    return Array.from({ length: shape[depth]! }, () => level(depth + 1))
  }
  return level(0)
}

/** The sides of the picture of a block: `[C, H, W]`, `[H, W]`, or `[N]` as a near-square; null for what is no picture. */
export function sides(shape: readonly number[] | null): { width: number; height: number } | null {
  if (!shape || shape.length < 2) return null
  const [height, width] = [shape.at(-2)!, shape.at(-1)!]
  return width > 1 && height > 1 ? { width, height } : null
}
