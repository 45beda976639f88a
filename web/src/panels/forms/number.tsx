import { useId, useState } from 'preact/hooks'
import { exact, parsed } from '../numbers'

interface Props {
  label: string
  value: number | null
  /** Told once the number is entered: Enter, an arrow key, or leaving the field. */
  onCommit(value: number): void
  min?: number
  max?: number
  /** Whole numbers only. */
  whole?: boolean
  disabled?: boolean
  hideLabel?: boolean
  placeholder?: string
  unit?: string
  /** A narrow field, for small whole numbers. */
  isShort?: boolean
}

/** A number that is typed. What is no number, or out of bounds, is marked and told, and never sent. */
export function NumberField(props: Props) {
  const { label, value, min, max, whole, disabled, hideLabel, placeholder, unit, isShort } = props
  const id = useId()
  // What is being typed stays, also while the number itself goes on, as a rate does that follows its curve.
  const [text, setText] = useState<string | null>(null)
  const shown = text ?? (value === null ? '' : exact(value))
  const fault = text === null || text === '' ? null : faultIn(text, min, max, whole)

  const commit = () => {
    if (text === null) return
    const number = parsed(text)
    if (fault || number === null) return
    setText(null)
    if (number !== value) props.onCommit(number)
  }
  const nudge = (direction: number) => {
    if (shown === '') return // there is nothing to go on from
    const from = parsed(shown) ?? 0
    const size = whole ? 1 : from === 0 ? 0.1 : 10 ** Math.floor(Math.log10(Math.abs(from)))
    const next = Math.min(max ?? Infinity, Math.max(min ?? -Infinity, Number((from + direction * size).toPrecision(7))))
    setText(null)
    props.onCommit(next)
  }

  return (
    <span class={isShort ? 'number-field short' : 'number-field'}>
      <label for={id} class={hideLabel ? 'hidden-visually' : undefined}>
        {label}
      </label>
      <input
        id={id}
        class="field"
        type="text"
        inputMode={whole ? 'numeric' : 'decimal'}
        autocomplete="off"
        spellcheck={false}
        value={shown}
        disabled={disabled}
        placeholder={placeholder}
        aria-invalid={fault ? 'true' : undefined}
        aria-describedby={fault ? `${id}-fault` : undefined}
        onInput={(event) => setText(event.currentTarget.value)}
        onBlur={() => {
          commit()
          if (!fault) setText(null)
        }}
        onKeyDown={(event) => {
          if (event.key === 'Enter') commit()
          else if (event.key === 'Escape' && text !== null) setText(null)
          else if (event.key === 'ArrowUp' || event.key === 'ArrowDown') nudge(event.key === 'ArrowUp' ? 1 : -1)
          else return
          event.preventDefault()
          event.stopPropagation()
        }}
      />
      {unit && <span class="unit">{unit}</span>}
      {fault && (
        <span id={`${id}-fault`} class="field-fault" role="alert">
          {fault}
        </span>
      )}
    </span>
  )
}

/** Why a text cannot be taken, or null. */
export function faultIn(text: string, min?: number, max?: number, whole?: boolean): string | null {
  const number = parsed(text)
  if (number === null) return 'must be a number'
  if (whole && !Number.isInteger(number)) return 'must be a whole number'
  if (min !== undefined && number < min) return `must be at least ${exact(min)}`
  if (max !== undefined && number > max) return `must be at most ${exact(max)}`
  return null
}
