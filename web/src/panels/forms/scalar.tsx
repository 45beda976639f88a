import { useEffect, useRef, useState } from 'preact/hooks'
import { exact } from '../numbers'
import { NumberField } from './number'
import { fromPlace, rangeOf, toPlace, type Range } from './ranges'

interface Props {
  label: string
  /** Where the number stands; chooses a range if none is given. */
  address: string
  value: number | null
  range?: Range
  disabled?: boolean
  onCommit(value: number): void
}

/** How long a slider must rest before its value is sent, so that one drag is one command. */
const REST = 250
/** How long the new value is shown before it was answered, in milliseconds. */
const ANSWER = 1500

/** A number as a slider and a field. */
export function Scalar({ label, address, value, range: given, disabled, onCommit }: Props) {
  const [dragged, setDragged] = useState<number | null>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const kept = useRef<Range>(undefined)
  const isSent = useRef(false)
  const shown = dragged ?? value
  // A range found from the value stays as it is while the value lies in it, or the slider would jump below the hand.
  const held = kept.current
  const range = given ?? (held && shown !== null && shown >= held.low && shown <= held.high ? held : rangeOf(address, shown ?? 0))
  kept.current = range

  useEffect(() => () => clearTimeout(timer.current), [])
  useEffect(() => {
    if (isSent.current) setDragged(null)
  }, [value])

  const send = (next: number) => {
    clearTimeout(timer.current)
    isSent.current = true
    if (next !== value) onCommit(next)
    timer.current = setTimeout(() => setDragged(null), next === value ? 0 : ANSWER)
  }
  const drag = (place: number, isDone: boolean) => {
    const next = fromPlace(place, range)
    setDragged(next)
    isSent.current = false // until then the number may go on as it likes: the hand holds the slider
    clearTimeout(timer.current)
    if (isDone) send(next)
    else timer.current = setTimeout(() => send(next), REST)
  }

  return (
    <div class="scalar" title={address}>
      <span class="scalar-label">{label}</span>
      <input
        type="range"
        min={0}
        max={1000}
        step={1}
        value={shown === null ? 0 : toPlace(shown, range)}
        disabled={disabled || shown === null}
        aria-label={label}
        aria-valuetext={shown === null ? 'unknown' : exact(shown)}
        onInput={(event) => drag(Number(event.currentTarget.value), false)}
        onChange={(event) => drag(Number(event.currentTarget.value), true)}
      />
      <NumberField label={`${label}, number`} hideLabel value={shown} disabled={disabled} onCommit={onCommit} />
    </div>
  )
}
