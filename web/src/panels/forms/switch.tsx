import { useEffect, useState } from 'preact/hooks'

/** How long what was asked for is shown before it was answered, in milliseconds. */
const ANSWER = 1500

interface Props {
  isOn: boolean
  label: string
  disabled?: boolean
  onChange(isOn: boolean): void
}

/** On or off. */
export function Switch({ isOn, label, disabled, onChange }: Props) {
  const [wanted, setWanted] = useState<boolean | null>(null)
  useEffect(() => setWanted(null), [isOn])
  const shown = wanted ?? isOn
  return (
    <button
      type="button"
      role="switch"
      class="switch"
      aria-checked={shown}
      aria-label={label}
      disabled={disabled}
      onClick={() => {
        setWanted(!shown)
        onChange(!shown)
        setTimeout(() => setWanted(null), ANSWER)
      }}
    >
      <span class="knob" aria-hidden="true" />
      {shown ? 'on' : 'off'}
    </button>
  )
}
