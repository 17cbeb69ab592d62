namespace Couic.Store;

/// <summary>An address that the operator needs.</summary>
/// <param name="Host">A /32 or /128.</param>
/// <param name="Role">What it is, such as <c>the default gateway</c>; ASCII.</param>
public readonly record struct ProtectedAddress(Cidr Host, string Role);

/// <summary>What the guard does about a change that would cut off a protected address.</summary>
public enum LockoutMode : byte
{
    /// <summary>The change is made, with a warning.</summary>
    Warn,
    Refuse,
    Off,
}

/// <summary>What the requester of a change asks of the guard.</summary>
public enum LockoutStance : byte
{
    /// <summary>As the mode says.</summary>
    Default,
    Refuse,

    /// <summary>The change is made whatever the mode says.</summary>
    Force,
}

/// <summary>Why a change may lock somebody out.</summary>
/// <param name="Reason">Such as <c>covers 192.0.2.1 (the default gateway)</c>; ASCII, without quotes.</param>
/// <param name="Advice">What to do about it.</param>
/// <param name="IsWhole">The change drops a whole family; that is refused in every mode but off.</param>
public sealed record LockoutObjection(string Reason, string Advice, bool IsWhole = false)
{
    /// <summary>For the requester of a refused change.</summary>
    public string Text => $"{Reason}; {Advice}";
}

/// <summary>A protected address that is dropped at the moment.</summary>
/// <param name="Cidr">The entry of drop that decides.</param>
public readonly record struct Lockout(ProtectedAddress Address, Cidr Cidr);
