/**
 * Twilio's types with Confab's in the place of each class, for checking that what one promises the other keeps. Their
 * classes have private members, so no object but their own is ever assignable to them: what can be compared is the
 * public members, one by one, as an app uses them.
 */
import type * as Confab from '@confab/client'
import type * as Twilio from '@twilio/conversations'

/** Classes by name, theirs and ours. */
export type Classes = {
  [Name in keyof typeof Twilio & keyof typeof Confab]: (typeof Twilio)[Name] extends abstract new (
    ...args: never
  ) => infer Theirs
    ? (typeof Confab)[Name] extends abstract new (
        ...args: never
      ) => infer Ours
      ? { theirs: Theirs; ours: Ours }
      : never
    : never
}

type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false

/** The name of Twilio's class that this is, exactly; never for anything else. */
type NameOf<T> = {
  [Name in keyof Classes]: Same<T, Classes[Name]['theirs']> extends true ? Name : never
}[keyof Classes]

/** What an app holds where Twilio's declarations say `T`. */
export type Translated<T> = [T] extends [never]
  ? never
  : unknown extends T
    ? T
    : T extends Twilio.JSONValue | undefined | Date | Blob | FormData | Buffer
      ? T
      : T extends Twilio.SendMediaOptions
        ? Confab.SendMediaOptions
        : T extends Twilio.RestPaginator<infer Item>
          ? Confab.Paginator<Translated<Item>>
          : T extends Twilio.CancellablePromise<infer Value>
            ? Confab.CancellablePromise<Translated<Value>>
            : T extends Promise<infer Value>
              ? Promise<Translated<Value>>
              : T extends Map<infer Key, infer Value>
                ? Map<Key, Translated<Value>>
                : [NameOf<T>] extends [never]
                  ? T extends (...args: infer Args) => infer Result
                    ? (...args: TranslatedList<Args>) => Translated<Result>
                    : { [Key in keyof T]: Translated<T[Key]> }
                  : NameOf<T> extends keyof Classes
                    ? Classes[NameOf<T>]['ours']
                    : never

type TranslatedList<List extends readonly unknown[]> = { [At in keyof List]: Translated<List[At]> }
