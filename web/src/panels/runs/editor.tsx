/** A text with line numbers and marks at the lines that have faults. */

import { useEffect, useRef } from 'preact/hooks'
import { faultText, type Fault } from '../../protocol'
import { marksOf, startOfLine } from './marks'

interface Props {
  label: string
  text: string
  faults: readonly Fault[]
  onInput(text: string): void
}

export function Editor({ label, text, faults, onInput }: Props) {
  const area = useRef<HTMLTextAreaElement>(null)
  const gutter = useRef<HTMLDivElement>(null)
  const count = text.split('\n').length
  const marks = marksOf(faults, text)
  const follow = () => {
    if (gutter.current && area.current) gutter.current.scrollTop = area.current.scrollTop
  }
  useEffect(follow, [count])
  const goTo = (line: number) => {
    const element = area.current
    if (!element) return
    const start = startOfLine(text, line)
    element.focus()
    element.setSelectionRange(start, start + (text.split('\n')[line - 1]?.length ?? 0))
    element.scrollTop = Math.max(0, (line - 4) * 18)
  }
  return (
    <div class="editor">
      <div class="editor-text">
        <div class="gutter" ref={gutter} aria-hidden="true">
          {Array.from({ length: count }, (_, n) => {
            const own = marks.byLine.get(n + 1)
            return (
              <div key={n} class={own ? 'wrong' : undefined} title={own?.map(faultText).join('\n')}>
                {own ? '✕ ' : ''}
                {n + 1}
              </div>
            )
          })}
        </div>
        <textarea
          ref={area}
          aria-label={label}
          aria-invalid={faults.length ? 'true' : undefined}
          spellcheck={false}
          autocomplete="off"
          wrap="off"
          value={text}
          onInput={(event) => onInput(event.currentTarget.value)}
          onScroll={follow}
          onKeyDown={(event) => indent(event, onInput)}
        />
      </div>
      {faults.length > 0 && (
        <ul class="fault-list" role="alert" aria-label="What is wrong with the document">
          {[...marks.byLine].sort(([a], [b]) => a - b).flatMap(([line, own]) =>
            own.map((fault) => (
              <li key={`${line} ${faultText(fault)}`}>
                <button type="button" class="link" onClick={() => goTo(line)}>
                  line {line}
                </button>{' '}
                {faultText(fault)}
              </li>
            )),
          )}
          {marks.elsewhere.map((fault) => (
            <li key={faultText(fault)}>{faultText(fault)}</li>
          ))}
        </ul>
      )}
    </div>
  )
}

/** Enter keeps the indentation. Tab moves on, as everywhere on the page. */
function indent(event: KeyboardEvent & { currentTarget: HTMLTextAreaElement }, onInput: (text: string) => void): void {
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return
  const { currentTarget: area } = event
  const before = area.value.slice(0, area.selectionStart)
  const line = before.slice(before.lastIndexOf('\n') + 1)
  const spaces = /^ */.exec(line)![0] + (/:\s*$/.test(line) ? '  ' : '')
  if (!spaces) return
  event.preventDefault()
  area.setRangeText(`\n${spaces}`, area.selectionStart, area.selectionEnd, 'end')
  onInput(area.value)
}
