// Original file: cartoon/v1/node.proto


export interface DescribeRequest {
}

export interface DescribeRequest__Output {
}
