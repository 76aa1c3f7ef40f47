import type {
  CallOptions,
  CreateImageOptions,
  ImageDraft,
  ImageInfo,
  ImageStore,
  ObjectKey,
  StoredImage,
} from "@ovault/contract";
import { InterceptedStore, type StoreCall } from "@ovault/testkit";

/** May be asynchronous; its value does not matter. */
type Step = (call: string) => unknown;

/** Passes calls on to another image store and its objects; `step` comes before each and may throw. */
export class SteppedImageStore implements ImageStore {
  readonly capabilities: ImageStore["capabilities"];
  readonly objects: ImageStore["objects"];
  readonly #images: ImageStore;
  readonly #step: Step;

  constructor(images: ImageStore, step: Step) {
    this.capabilities = images.capabilities;
    this.objects = new SteppedObjects(images.objects, step);
    this.#images = images;
    this.#step = step;
  }

  async create(key: ObjectKey, options: CreateImageOptions): Promise<ImageDraft> {
    await this.#step(options.from === undefined ? "create" : "clone");
    const draft = await this.#images.create(key, options);
    const step = this.#step;
    return {
      async write(offset, bytes, signal) {
        await step("write");
        await draft.write(offset, bytes, signal);
      },
      async zero(offset, length, signal) {
        await step("zero");
        await draft.zero(offset, length, signal);
      },
      async commit(signal) {
        await step("commit");
        await draft.commit(signal);
      },
      abort: () => draft.abort(),
    };
  }

  async open(key: ObjectKey, options: CallOptions): Promise<StoredImage> {
    await this.#step("open");
    const image = await this.#images.open(key, options);
    const step = this.#step;
    return {
      key,
      logicalBytes: image.logicalBytes,
      extents: (signal) => image.extents(signal),
      async readInto(offset, buffer, signal) {
        await step("read");
        await image.readInto(offset, buffer, signal);
      },
      close: () => image.close(),
    };
  }

  async *list(prefix: string, options: CallOptions): AsyncGenerator<ImageInfo> {
    await this.#step("list");
    yield* this.#images.list(prefix, options);
  }

  async delete(key: ObjectKey, options: CallOptions): Promise<void> {
    await this.#step("delete");
    await this.#images.delete(key, options);
  }

  async close(): Promise<void> {
    await this.#images.close();
  }
}

class SteppedObjects extends InterceptedStore {
  readonly #step: Step;

  constructor(objects: ImageStore["objects"], step: Step) {
    super(objects);
    this.#step = step;
  }

  protected override async intercept<T>({ kind, key }: StoreCall, work: () => Promise<T>): Promise<T> {
    await this.#step(`${kind} ${key}`);
    return await work();
  }
}
