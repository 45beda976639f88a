/** The store that panels work on; tests put another in its place. */

import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import { store, type Store } from '../session'

export const StoreContext = createContext<Store>(store)

export function useStore(): Store {
  return useContext(StoreContext)
}
