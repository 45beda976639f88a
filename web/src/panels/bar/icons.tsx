/** Pictures of the bar's buttons: one path each, drawn in the colour of the text. */

const PATHS = {
  play: 'M4.5 2.6v10.8L13.5 8z',
  pause: 'M4 2.5h3v11H4zM9 2.5h3v11H9z',
  step: 'M3 2.6v10.8L10 8zM11 2.5h2.2v11H11z',
  back: 'M13 2.6v10.8L6 8zM2.8 2.5H5v11H2.8z',
  stop: 'M3.2 3.2h9.6v9.6H3.2z',
  checkpoint: 'M3 2h8.2L14 4.8V14H2V3a1 1 0 0 1 1-1zm2 1.4v3.2h5.2V3.4zM4.6 9.2v3.4h6.8V9.2z',
  evaluate: 'M2 13.2V9h2.6v4.2zm4.7 0V5.6h2.6v7.6zm4.7 0V2.4H14v10.8z',
  undo: 'M6.4 2.2 2 6.4l4.4 4.2V7.8h2.9a2.3 2.3 0 0 1 0 4.6H6v1.7h3.3a4 4 0 0 0 0-8H6.4z',
  help: 'M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13zm-.9 9.3h1.7v1.7H7.1zm.9-7.2c1.6 0 2.7 1 2.7 2.3 0 1-.6 1.6-1.3 2.1-.5.4-.7.6-.7 1.1v.3H7.2v-.5c0-1 .5-1.5 1.1-2 .5-.4.7-.6.7-1 0-.5-.4-.9-1-.9s-1.1.4-1.2 1.1H5.2c.1-1.5 1.2-2.5 2.8-2.5z',
  light: 'M8 4.8a3.2 3.2 0 1 0 0 6.4 3.2 3.2 0 0 0 0-6.4zM7.3 1h1.4v2.2H7.3zm0 11.8h1.4V15H7.3zM1 7.3h2.2v1.4H1zm11.8 0H15v1.4h-2.2zM2.6 3.6l1-1 1.5 1.5-1 1zm8.3 8.3 1-1 1.5 1.5-1 1zm-8.3.5 1.5-1.5 1 1-1.5 1.5zm8.3-8.3 1.5-1.5 1 1-1.5 1.5z',
  dark: 'M6.2 1.8A6.3 6.3 0 1 0 14.2 9.8 5.2 5.2 0 0 1 6.2 1.8z',
  system: 'M1.5 2.5h13v8.6h-13zm1.5 1.5v5.6h10V4zM5 12.2h6v1.5H5z',
}

export type IconName = keyof typeof PATHS

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <path d={PATHS[name]} fill="currentColor" fill-rule="evenodd" />
    </svg>
  )
}
