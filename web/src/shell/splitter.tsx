/** The line between two regions: dragged, moved with arrow keys, folded by a double click or Enter. */

import type { Signal } from '@preact/signals'
import { useRef } from 'preact/hooks'

interface SplitterProps {
  side: 'left' | 'right' | 'bottom'
  label: string
  size: Signal<number>
  /** Its size again after it was folded. */
  initial: number
  least: number
  most: () => number
}

export function Splitter({ side, label, size, initial, least, most }: SplitterProps) {
  const start = useRef({ at: 0, size: 0 })
  const isVertical = side !== 'bottom'
  const sign = side === 'left' ? 1 : -1
  const at = (event: PointerEvent) => (isVertical ? event.clientX : event.clientY)
  const set = (value: number) => {
    size.value = value < least / 2 ? 0 : Math.round(Math.min(Math.max(value, least), most()))
  }
  const fold = () => (size.value = size.value ? 0 : initial)
  return (
    <div
      class={`splitter ${side}`}
      role="separator"
      tabIndex={0}
      aria-orientation={isVertical ? 'vertical' : 'horizontal'}
      aria-label={label}
      aria-valuenow={size.value}
      aria-valuemin={0}
      aria-valuemax={most()}
      title="Drag to resize, double click to fold"
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId)
        event.currentTarget.classList.add('dragged')
        start.current = { at: at(event), size: size.value }
      }}
      onPointerMove={(event) => {
        if (event.currentTarget.hasPointerCapture(event.pointerId)) set(start.current.size + sign * (at(event) - start.current.at))
      }}
      onPointerUp={(event) => event.currentTarget.classList.remove('dragged')}
      onDblClick={fold}
      onKeyDown={(event) => {
        const forward = isVertical ? event.key === 'ArrowRight' : event.key === 'ArrowDown'
        const backward = isVertical ? event.key === 'ArrowLeft' : event.key === 'ArrowUp'
        if (event.key === 'Enter') fold()
        else if (forward || backward) set(size.value + sign * (forward ? 16 : -16))
        else return
        event.preventDefault()
      }}
    />
  )
}
