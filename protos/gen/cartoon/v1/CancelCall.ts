// Original file: cartoon/v1/attach.proto


export interface CancelCall {
}

export interface CancelCall__Output {
}
