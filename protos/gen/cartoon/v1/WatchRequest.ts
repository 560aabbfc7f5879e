// Original file: cartoon/v1/node.proto


export interface WatchRequest {
}

export interface WatchRequest__Output {
}
