/** Something that holds callers back until it is opened. */
export interface Gate {
  passed: Promise<void>;
  open(): void;
}

/** A closed gate. */
export function aGate(): Gate {
  let open = () => {};
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}
