/** A picture that is drawn with the pointer, or read from a file, as values of a block. */

import { useEffect, useRef, useState } from 'preact/hooks'
import { NumberField } from '../forms/number'
import { fromPixels, readNpy, sides } from './pictures'

interface Props {
  path: string
  shape: readonly number[]
  onChange(values: Float32Array | null): void
}

/** Of a vector the numbers are drawn as one row of this many pixels at most. */
const WIDEST = 512

export function PictureField({ path, shape, onChange }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [range, setRange] = useState<[number, number]>([0, 1])
  const [fault, setFault] = useState<string | null>(null)
  const [source, setSource] = useState<'drawn' | 'array' | null>(null)
  const count = shape.reduce((product, size) => product * size, 1)
  const { width, height } = sides(shape) ?? { width: Math.min(WIDEST, count), height: 1 }
  const canDraw = sides(shape) !== null

  const clear = () => {
    const context = canvas.current?.getContext('2d', { willReadFrequently: true })
    if (!context) return
    context.fillStyle = '#000'
    context.fillRect(0, 0, width, height)
    setSource(null)
    onChange(null)
  }
  const take = () => {
    const context = canvas.current?.getContext('2d', { willReadFrequently: true })
    if (!context) return
    setSource('drawn')
    setFault(null)
    onChange(fromPixels(context.getImageData(0, 0, width, height).data, shape, range[0], range[1]))
  }
  useEffect(clear, [path, width, height])
  useEffect(() => {
    if (source === 'drawn') take()
  }, [range])

  const load = async (file: File) => {
    setFault(null)
    try {
      if (file.name.endsWith('.npy')) {
        const array = readNpy(await file.arrayBuffer())
        const sizes = array.shape.filter((size) => size !== 1).join(' × ')
        if (sizes !== shape.filter((size) => size !== 1).join(' × ')) throw new Error(`has the shape ${array.shape.join(' × ')}, and ${shape.join(' × ')} is needed`)
        setSource('array')
        onChange(array.values)
      } else {
        const picture = await createImageBitmap(file)
        const context = canvas.current?.getContext('2d', { willReadFrequently: true })
        context?.drawImage(picture, 0, 0, width, height)
        take()
      }
    } catch (error) {
      setFault(`${file.name} ${error instanceof Error ? error.message : 'cannot be read'}`)
    }
  }
  return (
    <div class="picture">
      {canDraw && <Drawing canvas={canvas} width={width} height={height} onDrawn={take} />}
      <div class="in-row">
        <label class="button">
          File …
          <input
            type="file"
            class="hidden-visually"
            accept="image/*,.npy"
            onChange={(event) => {
              const file = event.currentTarget.files?.[0]
              if (file) void load(file)
              event.currentTarget.value = ''
            }}
          />
        </label>
        {canDraw && (
          <button type="button" class="button" onClick={clear}>
            Clear
          </button>
        )}
        {source === 'array' && <span class="note">array read</span>}
      </div>
      {canDraw && (
        <div class="in-row">
          <NumberField label="Black" value={range[0]} onCommit={(value) => setRange([value, range[1]])} />
          <NumberField label="White" value={range[1]} onCommit={(value) => setRange([range[0], value])} />
        </div>
      )}
      {fault && (
        <p class="field-fault" role="alert">
          {fault}
        </p>
      )}
    </div>
  )
}

interface DrawingProps {
  canvas: { current: HTMLCanvasElement | null }
  width: number
  height: number
  onDrawn(): void
}

function Drawing({ canvas, width, height, onDrawn }: DrawingProps) {
  const last = useRef<[number, number] | null>(null)
  const at = (event: PointerEvent): [number, number] => {
    const box = canvas.current!.getBoundingClientRect()
    return [((event.clientX - box.left) / box.width) * width, ((event.clientY - box.top) / box.height) * height]
  }
  const stroke = (event: PointerEvent) => {
    const context = canvas.current?.getContext('2d', { willReadFrequently: true })
    if (!context) return
    const to = at(event)
    const from = last.current ?? to
    context.strokeStyle = event.shiftKey ? '#000' : '#fff'
    context.lineWidth = Math.max(1, Math.min(width, height) / 12)
    context.lineCap = 'round'
    context.beginPath()
    context.moveTo(...from)
    context.lineTo(to[0] + 0.01, to[1])
    context.stroke()
    last.current = to
  }
  return (
    <canvas
      ref={canvas}
      class="drawing"
      width={width}
      height={height}
      role="img"
      aria-label="Drawing; without a pointer, choose a file instead"
      title="Draw in white; hold Shift to erase"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture?.(event.pointerId)
        last.current = null
        stroke(event)
      }}
      onPointerMove={(event) => {
        if (event.buttons === 1) stroke(event)
      }}
      onPointerUp={() => {
        last.current = null
        onDrawn()
      }}
    />
  )
}
