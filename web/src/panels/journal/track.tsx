/** The line of frames: commands stand on it as marks, and dragging along it takes the session to another frame. */

import { useEffect, useRef, useState } from 'preact/hooks'
import type { HistoryEntry } from '../../protocol'
import { shortened } from '../commands'
import { whole } from '../numbers'
import { clusters, frameAt, MARKS, shareOf, ticks, type Cluster, type Window } from './timeline'

interface Props {
  window: Window
  /** The frame that the session is at. */
  frame: number
  /** The farthest frame that it was at; those between were computed before. */
  furthest: number
  /** The frame that is aimed at; the session's own where none is. */
  wanted: number
  entries: readonly HistoryEntry[]
  /** The number of the entry that is pointed out. */
  chosen: number | null
  onChoose(number: number | null): void
  /** Told where the hand or a key aims; null for nowhere else than it is. */
  onAim(frame: number | null): void
  /** Told that the session is to go to a frame. */
  onGo(frame: number): void
}

/** Pixels that a pointer may move and still have clicked. */
const STILL = 3
/** Commands of a sort nearer than this share of the line have one mark. */
const NEAREST = 0.012

const percent = (share: number) => `${(share * 100).toFixed(3)}%`

export function Track(props: Props) {
  const { window, frame, furthest, wanted, entries, chosen, onChoose } = props
  const line = useRef<HTMLDivElement>(null)
  const handle = useRef<HTMLDivElement>(null)
  const { isDragged, ...pointer } = useDrag(line, handle, props)
  return (
    <div class={`track${isDragged ? ' dragged' : ''}`} ref={line} {...pointer}>
      {ticks(window, 10)
        .filter((at) => shareOf(at, window) < 0.97)
        .map((at) => (
          <span key={at} class="tick" style={{ left: percent(shareOf(at, window)) }}>
            {whole(at)}
          </span>
        ))}
      {furthest > frame && <span class="ahead" style={{ left: percent(shareOf(frame, window)), width: percent(shareOf(furthest, window) - shareOf(frame, window)) }} />}
      <span class="reached" style={{ width: percent(shareOf(frame, window)) }} />
      {clusters(entries, window, NEAREST).map((cluster) => (
        <Mark key={`${cluster.sort} ${cluster.entries[0]!.number}`} of={cluster} isAside={cluster.entries[0]!.frame > wanted} chosen={chosen} onChoose={onChoose} />
      ))}
      <div
        ref={handle}
        class="handle"
        role="slider"
        tabIndex={0}
        aria-label="Frame to go to"
        aria-valuemin={0}
        aria-valuemax={furthest}
        aria-valuenow={wanted}
        aria-valuetext={`frame ${wanted} of ${frame}`}
        style={{ left: percent(shareOf(wanted, window)) }}
        onKeyDown={(event) => pressed(event, props)}
      >
        {wanted !== frame && <output class="aim">{whole(wanted)}</output>}
      </div>
    </div>
  )
}

interface MarkProps {
  of: Cluster
  /** Whether it would be set aside. */
  isAside: boolean
  chosen: number | null
  onChoose(number: number): void
}

function Mark({ of: { at, sort, entries }, isAside, chosen, onChoose }: MarkProps) {
  const told = entries.map((entry) => `${whole(entry.frame)}: ${shortened(entry.text, 60)}`).join('\n')
  const isChosen = entries.some((entry) => entry.number === chosen)
  const isUndone = isAside || entries.every((entry) => entry.undone)
  return (
    <button
      type="button"
      class={`mark ${sort}${isChosen ? ' chosen' : ''}${isUndone ? ' undone' : ''}`}
      style={{ left: percent(at) }}
      title={told}
      aria-label={entries.length > 1 ? `${entries.length} commands from frame ${whole(entries[0]!.frame)}` : told}
      tabIndex={-1}
      onClick={() => onChoose(entries[0]!.number)}
    >
      {MARKS[sort]}
      {entries.length > 1 && <sub>{entries.length}</sub>}
    </button>
  )
}

/** What a pointer does: a drag aims and, let go, goes; a click on the bare line only aims. Escape ends a drag. */
function useDrag(line: { current: HTMLDivElement | null }, handle: { current: HTMLDivElement | null }, props: Props) {
  const newest = useRef(props)
  newest.current = props
  const press = useRef<{ x: number; id: number; isOnMark: boolean } | null>(null)
  const [isDragged, setDragged] = useState(false)
  const aimed = (event: PointerEvent): number => {
    const box = line.current!.getBoundingClientRect()
    const { window, furthest } = newest.current
    return Math.min(furthest, frameAt((event.clientX - box.left) / Math.max(1, box.width), window))
  }
  const aim = (frame: number) => newest.current.onAim(frame === newest.current.frame ? null : frame)
  const end = () => {
    press.current = null
    setDragged(false)
  }
  useEffect(() => {
    if (!isDragged) return
    const escape = (event: KeyboardEvent) => {
      if (event.key !== 'Escape') return
      end()
      newest.current.onAim(null)
      event.preventDefault()
      event.stopPropagation()
    }
    addEventListener('keydown', escape, true)
    return () => removeEventListener('keydown', escape, true)
  }, [isDragged])
  return {
    isDragged,
    onPointerDown: (event: PointerEvent) => {
      if (event.button !== 0) return
      const isOnMark = event.target instanceof Element && event.target.closest('button') !== null
      press.current = { x: event.clientX, id: event.pointerId, isOnMark }
    },
    onPointerMove: (event: PointerEvent) => {
      const pressed = press.current
      if (pressed?.id !== event.pointerId) return
      if (!isDragged && Math.abs(event.clientX - pressed.x) <= STILL) return
      if (!isDragged) {
        // only now: a captured pointer takes its click away from the mark below it
        line.current?.setPointerCapture?.(event.pointerId)
        handle.current?.focus({ preventScroll: true })
        setDragged(true)
      }
      aim(aimed(event))
    },
    onPointerUp: (event: PointerEvent) => {
      const pressed = press.current
      if (pressed?.id !== event.pointerId) return
      end()
      if (isDragged) newest.current.onGo(aimed(event))
      else if (!pressed.isOnMark) aim(aimed(event))
    },
    onPointerCancel: () => {
      end()
      newest.current.onAim(null)
    },
  }
}

/** Keys aim as they move any slider; Enter goes there, Escape stays. */
function pressed(event: KeyboardEvent, { frame, furthest, wanted, window, onAim, onGo }: Props): void {
  const steps: Record<string, number> = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 }
  const ends: Record<string, number> = { Home: window.first, End: furthest }
  const by = steps[event.key]
  const to = by === undefined ? ends[event.key] : Math.min(furthest, Math.max(window.first, wanted + by))
  if (to !== undefined) onAim(to === frame ? null : to)
  else if (event.key === 'Enter') onGo(wanted)
  else if (event.key === 'Escape' && wanted !== frame) onAim(null)
  else return
  event.preventDefault()
  event.stopPropagation()
}
