/** Whatever stands at an address and can be set: a number, a switch, a word or a list. */

import { useId, useState } from 'preact/hooks'
import { command, value as written, word } from '../commands'
import { Scalar } from './scalar'
import { Switch } from './switch'
import { FaultList, useTries } from './tries'

interface Props {
  label: string
  address: string
  value: unknown
  disabled?: boolean
}

export function Setting({ label, address, value, disabled }: Props) {
  const { attempt, faults } = useTries()
  const set = (next: unknown) => void attempt(command('set', [word(address), written(next)]))
  return (
    <div class="setting">
      {typeof value === 'number' ? (
        <Scalar label={label} address={address} value={value} disabled={disabled} onCommit={set} />
      ) : typeof value === 'boolean' ? (
        <div class="scalar" title={address}>
          <span class="scalar-label">{label}</span>
          <Switch isOn={value} label={label} disabled={disabled} onChange={set} />
        </div>
      ) : (
        <Word label={label} address={address} value={value} disabled={disabled} onCommit={(text) => void attempt(`set ${word(address)} ${text}`)} />
      )}
      <FaultList faults={faults} />
    </div>
  )
}

/** A word or a list, as a document has it; sent with Enter or on leaving the field. What is wrong the session says. */
function Word({ label, address, value, disabled, onCommit }: Props & { onCommit(text: string): void }) {
  const id = useId()
  const now = value === null || value === undefined ? 'null' : written(value)
  const [text, setText] = useState<string | null>(null)
  const commit = () => {
    const typed = text?.trim()
    setText(null)
    if (typed && typed !== now) onCommit(typed)
  }
  return (
    <div class="scalar worded" title={address}>
      <label class="scalar-label" for={id}>
        {label}
      </label>
      <input
        id={id}
        class="field mono"
        type="text"
        autocomplete="off"
        spellcheck={false}
        disabled={disabled}
        value={text ?? now}
        onInput={(event) => setText(event.currentTarget.value)}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === 'Enter') commit()
          else if (event.key === 'Escape' && text !== null) setText(null)
          else return
          event.preventDefault()
          event.stopPropagation()
        }}
      />
    </div>
  )
}
