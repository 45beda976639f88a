import type { ComponentChildren } from 'preact'
import { useEffect, useRef } from 'preact/hooks'

interface Props {
  title: string
  /** What the confirming button says: a verb. */
  action: string
  isDangerous?: boolean
  children?: ComponentChildren
  onConfirm(): void
  onCancel(): void
}

/** A question that must be answered before something that cannot be taken back. */
export function Confirm({ title, action, isDangerous, children, onConfirm, onCancel }: Props) {
  const dialog = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    const element = dialog.current
    element?.showModal?.()
    return () => element?.close?.()
  }, [])
  return (
    <dialog
      ref={dialog}
      class="confirm"
      aria-labelledby="confirm-title"
      onCancel={(event) => {
        event.preventDefault()
        onCancel()
      }}
    >
      <h2 id="confirm-title">{title}</h2>
      {children}
      <div class="in-row end">
        <button type="button" class="button" onClick={onCancel}>
          Cancel
        </button>
        <button type="button" class={isDangerous ? 'button danger' : 'button primary'} onClick={onConfirm} autofocus>
          {action}
        </button>
      </div>
    </dialog>
  )
}
