namespace Couic.Http;

/// <summary>Why a rule may cut off somebody whom the operator needs.</summary>
/// <param name="Objection">What the rule covers, in ASCII, such as <c>covers 192.0.2.1 (default gateway)</c>.</param>
/// <param name="IsRefused">Whether the configuration refuses such rules; else they are made, with a warning.</param>
internal sealed record LockOut(string Objection, bool IsRefused);
