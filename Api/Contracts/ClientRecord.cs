namespace Couic.Api.Contracts;

/// <summary>A client of the API, as answers show it; the token is secret.</summary>
public sealed record ClientRecord(string Name, string Token, string Group);

/// <summary>The body of <c>POST /v1/client</c>.</summary>
public sealed record NewClient(string Name, string Group);
