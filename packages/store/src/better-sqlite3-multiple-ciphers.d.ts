/** What the store uses of the driver: its own declarations are hidden by its `exports`. */
declare module "better-sqlite3-multiple-ciphers" {
  namespace Database {
    interface Statement<P extends unknown[], R> {
      run(...parameters: P): { readonly changes: number };
      get(...parameters: P): R | undefined;
      all(...parameters: P): R[];
      iterate(...parameters: P): IterableIterator<R>;
      /** Only the first column. */
      pluck(): this;
    }
    interface Database {
      readonly open: boolean;
      readonly inTransaction: boolean;
      prepare<P extends unknown[] = [], R = unknown>(source: string): Statement<P, R>;
      exec(source: string): this;
      pragma(source: string, options?: { readonly simple?: boolean }): unknown;
      key(key: Buffer): number;
      /** An empty key takes the encryption away. */
      rekey(key: Buffer): number;
      /** Online copy; `progress` says how many pages the next step may take. */
      backup(to: string, options: { readonly progress: () => number }): Promise<unknown>;
      close(): this;
    }
    class SqliteError extends Error {
      readonly code: string;
    }
  }
  class Database {
    constructor(path: string, options?: { readonly fileMustExist?: boolean; readonly timeout?: number });
    static readonly SqliteError: typeof Database.SqliteError;
  }
  interface Database extends Database.Database {}
  export = Database;
}
