namespace Couic.Bpf;

/// <summary>Where in the path of a frame the program runs.</summary>
public enum XdpMode : byte
{
    /// <summary>In the kernel's receive path; every interface can.</summary>
    Generic,

    /// <summary>In the driver, before the kernel makes anything of the frame.</summary>
    Native,

    /// <summary>In the network card.</summary>
    Offloaded,

    /// <summary>Native where the driver can, else generic.</summary>
    Auto,
}
