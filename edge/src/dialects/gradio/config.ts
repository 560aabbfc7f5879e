import type { Component, GradioFunction } from "./functions.ts";

const FILE = {
  title: "FileData",
  type: "object",
  properties: {
    path: { type: "string" },
    url: { type: "string" },
    meta: { type: "object", default: { _type: "gradio.FileData" } },
  },
};

const COMPONENTS: Record<Component["type"], { schema: object; python: string; gradio: string }> = {
  dropdown: { schema: { type: "string" }, python: "str", gradio: "Dropdown" },
  textbox: { schema: { type: "string" }, python: "str", gradio: "Textbox" },
  slider: { schema: { type: "number" }, python: "float", gradio: "Slider" },
  number: { schema: { type: "number" }, python: "float | None", gradio: "Number" },
  video: { schema: FILE, python: "filepath", gradio: "Video" },
  image: { schema: FILE, python: "filepath", gradio: "Image" },
  audio: { schema: FILE, python: "filepath", gradio: "Audio" },
  json: { schema: { type: "object" }, python: "dict", gradio: "Json" },
};

interface Numbered extends Component {
  id: number;
}

function numbered(functions: GradioFunction[]) {
  let next = 1;
  const number = (component: Component): Numbered => ({ ...component, id: next++ });
  return functions.map((one) => ({
    ...one,
    inputs: one.inputs.map(number),
    outputs: one.outputs.map(number),
  }));
}

/** `/config`: what `@gradio/client` and `gradio_client` read when they connect. Source: gradio 6.25.0. */
export function gradioConfig(functions: GradioFunction[], root: string) {
  const known = numbered(functions);
  const components = known
    .flatMap((one) => [...one.inputs, ...one.outputs])
    .map(({ id, name, type, ...props }) => ({
      id,
      type,
      props: { ...props, name: type, visible: true, interactive: true },
      skip_api: false,
      api_info: COMPONENTS[type].schema,
      component_class_id: type,
    }));
  return {
    version: "6.25.0",
    api_prefix: "/gradio_api",
    app_id: 6_000_000,
    mode: "blocks",
    title: "Cartoon Animation Worker",
    root,
    protocol: "sse_v3",
    enable_queue: true,
    connect_heartbeat: false,
    show_api: true,
    is_space: false,
    auth_required: false,
    dev_mode: false,
    analytics_enabled: false,
    max_file_size: null,
    theme_hash: "",
    stylesheets: [],
    layout: { id: 0, children: components.map(({ id }) => ({ id })) },
    components,
    dependencies: known.map((one, id) => ({
      id,
      targets: [[null, null]],
      inputs: one.inputs.map((component) => component.id),
      outputs: one.outputs.map((component) => component.id),
      backend_fn: true,
      js: null,
      queue: true,
      api_name: one.apiName,
      api_visibility: "public",
      show_api: true,
      scroll_to_output: false,
      show_progress: "full",
      batch: false,
      max_batch_size: 4,
      cancels: [],
      types: { generator: false, cancel: false },
      collects_event_data: false,
      trigger_after: null,
      trigger_only_on_success: false,
      trigger_only_on_failure: false,
      trigger_mode: "once",
      zerogpu: false,
      rendered_in: null,
      connection: "sse",
      time_limit: null,
      stream_every: 0.5,
      like_user_message: false,
    })),
  };
}

/** `/gradio_api/info`: the signatures, for "view API". */
export function gradioInfo(functions: GradioFunction[]) {
  const describe = (component: Component) => ({
    label: component.label,
    type: COMPONENTS[component.type].schema,
    python_type: { type: COMPONENTS[component.type].python, description: "" },
    component: COMPONENTS[component.type].gradio,
  });
  return {
    named_endpoints: Object.fromEntries(
      functions.map((one) => [
        `/${one.apiName}`,
        {
          parameters: one.inputs.map((component) => ({
            ...describe(component),
            parameter_name: component.name,
            parameter_has_default: component.value !== undefined,
            parameter_default: component.value ?? null,
            example_input: component.value ?? "",
          })),
          returns: one.outputs.map(describe),
          api_visibility: "public",
          show_api: true,
        },
      ]),
    ),
    unnamed_endpoints: {},
  };
}
