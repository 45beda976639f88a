import { useId } from 'preact/hooks'

interface Props<T extends string> {
  label: string
  options: readonly (NoInfer<T> | { value: NoInfer<T>; label: string; title?: string })[]
  value: T
  onChange(value: NoInfer<T>): void
  hideLabel?: boolean
}

/** One of a few words, all of them in view. */
export function Choice<T extends string>({ label, options, value, onChange, hideLabel = true }: Props<T>) {
  const name = useId()
  return (
    <fieldset class="options">
      <legend class={hideLabel ? 'hidden-visually' : undefined}>{label}</legend>
      {options.map((option) => {
        const { value: own, label: text, title } = typeof option === 'string' ? { value: option, label: option, title: undefined } : option
        return (
          <label key={own} title={title} class={own === value ? 'chosen' : undefined}>
            <input type="radio" name={name} value={own} checked={own === value} onChange={() => onChange(own)} />
            {text}
          </label>
        )
      })}
    </fieldset>
  )
}
