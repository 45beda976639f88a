import type { ComponentChildren } from 'preact'

interface Props {
  /** What is not there, in a few words. */
  title: string
  /** What to do about it. */
  children?: ComponentChildren
  isBusy?: boolean
}

/** What a panel shows while there is nothing to show. */
export function Blank({ title, children, isBusy }: Props) {
  return (
    <div class="empty" role={isBusy ? 'status' : undefined} aria-busy={isBusy}>
      <div class="empty-title">
        {isBusy && <span class="spinner" aria-hidden="true" />}
        {title}
      </div>
      {children && <div class="note">{children}</div>}
    </div>
  )
}
