/** Requests to `/api`. Paths are relative to the page, so that it works behind a tunnel or a prefix. */

import { FaultError, type Fault } from './protocol'

export type Query = Record<string, string | number | boolean | string[] | null | undefined>

export class Rest {
  constructor(
    private readonly base = new URL('api/', document.baseURI),
    private readonly send: typeof fetch = (input, init) => fetch(input, init),
  ) {}

  url(path: string, query: Query = {}): URL {
    const url = new URL(path.split('/').map(encodeURIComponent).join('/'), this.base)
    for (const [key, value] of Object.entries(query)) {
      if (Array.isArray(value)) value.forEach((item) => url.searchParams.append(key, item))
      else if (value !== null && value !== undefined) url.searchParams.set(key, String(value))
    }
    return url
  }

  /** The address of a session's socket. */
  socket(session: string): URL {
    const url = this.url(`sessions/${session}/stream`)
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
    return url
  }

  get<T>(path: string, query?: Query, signal?: AbortSignal): Promise<T> {
    return this.request<T>('GET', path, query, undefined, signal)
  }

  post<T>(path: string, body: unknown = {}): Promise<T> {
    return this.request<T>('POST', path, undefined, body)
  }

  delete<T>(path: string): Promise<T> {
    return this.request<T>('DELETE', path)
  }

  private async request<T>(method: string, path: string, query?: Query, body?: unknown, signal?: AbortSignal): Promise<T> {
    const init: RequestInit = { method, credentials: 'same-origin', headers: { accept: 'application/json' } }
    if (signal) init.signal = signal
    if (body !== undefined) {
      init.body = JSON.stringify(body)
      init.headers = { ...init.headers, 'content-type': 'application/json' }
    }
    let response: Response
    try {
      response = await this.send(this.url(path, query), init)
    } catch (error) {
      if (signal?.aborted) throw error
      throw new FaultError([{ address: path, rule: 'the server does not answer', hint: 'is it still running?' }])
    }
    const text = await response.text()
    const answer: unknown = parsed(text)
    if (!response.ok) throw new FaultError(faultsOf(answer, path, response), response.status)
    return answer as T
  }
}

function parsed(text: string): unknown {
  if (!text) return null
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function faultsOf(answer: unknown, path: string, response: Response): Fault[] {
  const faults = (answer as { faults?: Fault[] } | null)?.faults
  if (Array.isArray(faults) && faults.length) return faults
  const rule = `${response.status} ${response.statusText || 'refused'}`
  const hint = response.status === 401 ? 'open the page by the URL that the server printed, which has the token' : null
  return [{ address: path, rule, hint }]
}

export const rest = new Rest()
