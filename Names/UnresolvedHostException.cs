namespace Couic.Names;

/// <summary>No address of a host is known.</summary>
public sealed class UnresolvedHostException(string host, string cause) : IOException($"cannot resolve \"{host}\": {cause}");
