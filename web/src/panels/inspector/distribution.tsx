/** How the numbers at an address are spread: a histogram of now, and the nine percentiles over time. */

import { useEffect, useRef, useState } from 'preact/hooks'
import type { Reading } from '../../session'
import { isDark, token } from '../../theme'
import { asNumbers } from '../../wire'
import { brief } from '../numbers'
import { drawFan, Fan, PERCENTILES } from './fan'
import { sharpContext, useReadings, useRedraw } from './readings'

interface Props {
  address: string
  label: string
  /** How often it is read, per second. */
  rate?: number
}

const BINS = 48

export function Histogram({ address, label, rate = 4 }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const newest = useRef<Reading | null>(null)
  const [told, setTold] = useState('')
  const redraw = useRedraw(() => {
    const element = canvas.current
    const reading = newest.current
    if (!element || !reading) return
    const counts = asNumbers(reading)
    drawHistogram(element, counts, reading.low, reading.high)
    setTold(`${brief(reading.low)} to ${brief(reading.high)}, frame ${reading.frame}`)
  })
  const refusal = useReadings(address, 'histogram', { rate, bins: BINS }, (reading) => {
    newest.current = reading
    redraw()
  })
  useEffect(redraw, [isDark.value])
  if (refusal) return <p class="note">{refusal}</p>
  return <canvas ref={canvas} class="histogram" role="img" aria-label={`${label}: ${told || 'not read yet'}`} />
}

function drawHistogram(canvas: HTMLCanvasElement, counts: ArrayLike<number>, low: number, high: number): void {
  const width = canvas.clientWidth || 280
  const height = canvas.clientHeight || 56
  const context = sharpContext(canvas, width, height)
  if (!context) return
  const base = height - 12
  let most = 1
  for (let n = 0; n < counts.length; n += 1) most = Math.max(most, counts[n]!)
  context.clearRect(0, 0, width, height)
  context.fillStyle = token('accent')
  const slot = width / Math.max(1, counts.length)
  for (let n = 0; n < counts.length; n += 1) {
    const size = counts[n] ? Math.max(1, (counts[n]! / most) * (base - 2)) : 0
    context.fillRect(n * slot, base - size, Math.max(1, slot - 1), size)
  }
  context.strokeStyle = token('line-strong')
  context.beginPath()
  context.moveTo(0, base + 0.5)
  context.lineTo(width, base + 0.5)
  if (low < 0 && high > 0) {
    const zero = Math.round((-low / (high - low)) * width) + 0.5
    context.moveTo(zero, 0)
    context.lineTo(zero, base)
  }
  context.stroke()
  context.fillStyle = token('text-3')
  context.font = `10px ${token('font')}`
  context.textBaseline = 'bottom'
  context.textAlign = 'left'
  context.fillText(brief(low), 0, height)
  context.textAlign = 'right'
  context.fillText(brief(high), width, height)
  context.textAlign = 'left'
}

export function FanChart({ address, label, rate = 4 }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const fan = useRef(new Fan())
  const [last, setLast] = useState<number[] | null>(null)
  const redraw = useRedraw(() => {
    const element = canvas.current
    if (!element) return
    const width = element.clientWidth || 280
    const height = element.clientHeight || 110
    const context = sharpContext(element, width, height)
    if (!context) return
    context.font = `10px ${token('font')}`
    const colours = { band: token('accent'), median: token('text'), text: token('text-3'), line: token('line-strong') }
    drawFan(context, fan.current, width, height, colours, (value) => brief(value))
    setLast(fan.current.last && [...fan.current.last])
  })
  useEffect(() => {
    fan.current = new Fan()
    setLast(null)
  }, [address])
  useEffect(redraw, [isDark.value])
  const refusal = useReadings(address, 'distribution', { rate }, (reading) => {
    fan.current.pushRows(asNumbers(reading))
    redraw()
  })
  if (refusal) return null
  const told = last ? PERCENTILES.map((one, n) => `${one} %: ${brief(last[n])}`).join(', ') : 'not read yet'
  return <canvas ref={canvas} class="fan" role="img" aria-label={`${label}, percentiles over time: ${told}`} title={told} />
}
